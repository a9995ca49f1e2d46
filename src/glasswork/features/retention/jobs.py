from glasswork.core.jobs import Job, Nothing, Work

from .service import PurgeService


async def purge(work: Work, _: Nothing) -> None:
    resources = work.resources
    await PurgeService(resources.database, resources.settings.retention_days).purge()


PURGE = Job("retention.purge", Nothing, purge, seconds=3600)
