from glasswork.core.events import Fields
from glasswork.core.images import READABLE
from glasswork.core.jobs import EventRef, Job, Nothing, Work

from .service import SweepService, ThumbnailService


async def make_thumbnail(work: Work, created: EventRef) -> None:
    resources = work.resources
    service = ThumbnailService(resources.database, resources.storage, work.in_child_process)
    await service.make(created.subject_id)


async def sweep(work: Work, _: Nothing) -> None:
    await SweepService(work.resources.database, work.resources.storage).sweep()


def _is_picture(_: Fields | None, after: Fields | None) -> bool:
    return (after or {}).get("media_type") in READABLE


MAKE_THUMBNAIL = Job("attachments.thumbnail", EventRef, make_thumbnail, max_attempts=5, concerns=_is_picture)
SWEEP = Job("attachments.sweep", Nothing, sweep, seconds=3600)
