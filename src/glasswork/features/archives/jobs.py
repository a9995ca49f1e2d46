"""What follows the order of an archive: its making."""

from glasswork.core.jobs import EventRef, Job, Work

from .service import MakingService

HOURS = 6
"""Well below the time after which an object that nothing refers to is swept away."""


async def make_archive(work: Work, event: EventRef) -> None:
    await MakingService(work.resources.database, work.resources.storage).make(event.subject_id)


async def give_up(work: Work, event: EventRef) -> None:
    await MakingService(work.resources.database, work.resources.storage).give_up(event.subject_id)


MAKE_ARCHIVE = Job(
    "archives.make", EventRef, make_archive, max_attempts=5, seconds=HOURS * 3600, on_dead=give_up
)
