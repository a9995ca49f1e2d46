from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.outbox import Outbox
from glasswork.features.imports.policy import is_ordered

from .errors import AbandonedError
from .service import Importer

TURN_SECONDS = 5
"""So long a job works on an import, and then lets another one go on: other jobs have their turn too."""


async def run_import(work: Work, event: EventRef) -> None:
    given = work.resources
    if await Importer(given.database, given.keys, given.storage).advance(event.subject_id, TURN_SECONDS):
        async with work.once() as session:
            Outbox(session).order(RUN_IMPORT, event)


async def give_up(work: Work, event: EventRef) -> None:
    given = work.resources
    await Importer(given.database, given.keys, given.storage).give_up(event.subject_id, AbandonedError())


RUN_IMPORT = Job(
    "importing.run",
    EventRef,
    run_import,
    max_attempts=20,
    seconds=60,
    on_dead=give_up,
    concerns=is_ordered,
)
