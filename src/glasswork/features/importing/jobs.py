from datetime import timedelta

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.outbox import Outbox
from glasswork.features.imports.policy import is_ordered
from glasswork.features.intake.errors import PostponedError
from glasswork.features.sources.service import Sources

from .errors import AbandonedError
from .service import Importer

TURN_SECONDS = 5
"""So long a job works on an import, and then lets another one go on: other jobs have their turn too."""


async def run_import(work: Work, event: EventRef) -> None:
    rest = None
    try:
        has_more = await _importer(work).advance(event.subject_id, TURN_SECONDS)
    except PostponedError as asked:
        has_more, rest = True, timedelta(seconds=asked.seconds)
    if has_more:
        async with work.once() as session:
            Outbox(session).order(RUN_IMPORT, event, delay=rest)


async def give_up(work: Work, event: EventRef) -> None:
    await _importer(work).give_up(event.subject_id, AbandonedError())


def _importer(work: Work) -> Importer:
    given = work.resources
    sources = Sources(given.keys, given.storage, given.outgoing, given.settings.github_api_url)
    return Importer(given.database, sources)


RUN_IMPORT = Job(
    "importing.run",
    EventRef,
    run_import,
    max_attempts=20,
    seconds=60,
    on_dead=give_up,
    concerns=is_ordered,
)
