from glasswork.core.jobs import Job, Nothing, Work

from .service import SealService


async def renew(work: Work, _: Nothing) -> None:
    await SealService(work.resources.database, work.resources.keys).renew()


RENEW_SEALS = Job("seals.renew", Nothing, renew, seconds=3600)
