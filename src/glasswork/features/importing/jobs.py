from datetime import timedelta

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.outbox import Outbox
from glasswork.features.imports.policy import is_ordered
from glasswork.features.intake.errors import PostponedError
from glasswork.features.sources.service import Sources

from .service import Importer

TURN_SECONDS = 20
"""So long a job works on an import, and then lets another one go on: other jobs have their turn too."""


async def run_import(work: Work, event: EventRef) -> None:
    given = work.resources
    sources = Sources(given.keys, given.storage, given.outgoing, given.settings.github_api_url)
    rest = None
    try:
        has_more = await Importer(given.database, sources).advance(event.subject_id, TURN_SECONDS)
    except PostponedError as asked:
        has_more, rest = True, timedelta(seconds=asked.seconds)
    if has_more:
        async with work.once() as session:
            Outbox(session).order(RUN_IMPORT, event, delay=rest)


RUN_IMPORT = Job(
    "importing.run", EventRef, run_import, max_attempts=20, seconds=6 * TURN_SECONDS, concerns=is_ordered
)
