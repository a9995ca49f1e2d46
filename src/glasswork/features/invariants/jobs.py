from glasswork.core.jobs import Job, Nothing, Work

from .service import InvariantService


async def check(work: Work, _: Nothing) -> None:
    await InvariantService(work.resources.database, work.resources.metrics).check()


CHECK_INVARIANTS = Job("invariants.check", Nothing, check, max_attempts=1, seconds=120)
