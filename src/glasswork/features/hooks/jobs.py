"""The seals of the hooks' secrets."""

from glasswork.core.jobs import Job, Nothing, Work

from .service import HookSealService


async def renew_seals(work: Work, _: Nothing) -> None:
    await HookSealService(work.resources.database, work.resources.keys).renew()


RENEW_HOOK_SEALS = Job("hooks.renew_seals", Nothing, renew_seals, seconds=3600)
