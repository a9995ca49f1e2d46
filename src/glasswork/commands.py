"""What the command line does with services, which it makes by hand as a worker would."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import to_thread

from glasswork import models as _models  # noqa: F401 (mappers need each other)
from glasswork.core.actor import Actor
from glasswork.core.db import Database, open_database
from glasswork.core.mail import KeptMail, find_kept
from glasswork.core.outbox import NO_SUBSCRIBERS
from glasswork.core.outgoing import open_outgoing
from glasswork.core.settings import Settings
from glasswork.core.statements import AnyRow
from glasswork.core.storage import find_needed, key_of, open_storage
from glasswork.core.tokens import Keys
from glasswork.features.accounts.models import SystemRole
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import Registration
from glasswork.features.accounts.service import AccountService, SessionService
from glasswork.features.importing.service import Importer, ImportWatch
from glasswork.features.imports.schemas import FaultQuery, ImportCreate, ImportRead
from glasswork.features.imports.service import ImportFileService, ImportService
from glasswork.features.intake.errors import PostponedError
from glasswork.features.jobs.service import JobService
from glasswork.features.restoring.schemas import RestoreReport
from glasswork.features.restoring.service import OnProgress, RestoreService
from glasswork.features.setup.service import SetupService
from glasswork.features.sources.service import Sources
from glasswork.features.workspaces.service import WorkspaceService
from glasswork.worker import SUBSCRIBERS

CHUNK_BYTES = 1 << 20
TOLD_EVERY_SECONDS = 0.5
MOST_FAULTS_TOLD = 20
FILES_AT_ONCE = 50


async def create_admin(settings: Settings, new: Registration) -> None:
    async with open_database(settings, SUBSCRIBERS) as database, database.transaction() as session:
        await AccountService(session, PasswordRules.of(settings)).register(new, SystemRole.ADMIN)


async def issue_setup_token(settings: Settings) -> str | None:
    """Return what lets somebody open the first admin's account, or None when there is an admin."""
    async with open_database(settings, SUBSCRIBERS) as database, database.transaction() as session:
        return await SetupService(session, PasswordRules.of(settings)).issue()


async def import_file(
    settings: Settings,
    new: ImportCreate,
    file: Path | None,
    slug: str,
    login: str,
    on_progress: Callable[[ImportRead], None],
) -> tuple[ImportRead, Sequence[AnyRow]]:
    """Carry an import out, here or where a worker has taken it; return it, and the first of its faults."""
    keys = Keys.of(settings)
    async with (
        open_database(settings, SUBSCRIBERS) as database,
        open_outgoing(settings.outgoing_allowed, None) as outgoing,
        acting_as(database, settings, login, "glasswork import") as actor,
    ):
        storage = open_storage(settings.storage_url, settings.data_dir)
        async with database.reading() as session:
            workspace_id = await WorkspaceService(session).id_of(actor, slug)
        async with database.transaction(actor) as session:
            import_id = (await ImportService(session, keys).create(actor, workspace_id, new)).id
        if file is not None:
            await ImportFileService(database, storage).put(actor, import_id, _chunks(file))
        importer = Importer(database, Sources(keys, storage, outgoing, settings.github_api_url))
        watch = ImportWatch(database, keys, actor, import_id)
        while (seen := await watch.look()).status.is_under_way:
            on_progress(seen)
            with suppress(PostponedError):
                if await importer.advance(import_id, TOLD_EVERY_SECONDS):
                    continue
            # A worker has it, or the source asks to be left alone.
            await asyncio.sleep(TOLD_EVERY_SECONDS)
        async with database.reading() as session:
            query = FaultQuery(limit=MOST_FAULTS_TOLD)
            faults = await ImportService(session, keys).faults(actor, import_id, query)
    return seen, faults.items


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while chunk := await to_thread.run_sync(opened.read, CHUNK_BYTES):
            yield chunk


async def import_archive(settings: Settings, file: Path, on_progress: OnProgress) -> RestoreReport:
    """Nobody is written to: who has an account now hears of it from those who have moved the workspace."""
    storage = open_storage(settings.storage_url, settings.data_dir)
    async with open_database(settings, NO_SUBSCRIBERS) as database:
        return await RestoreService(database, storage).restore(file, on_progress)


async def missing_files(settings: Settings) -> tuple[int, Sequence[str]]:
    """Return how many files the database knows of, and the keys of those that are not in the storage."""
    storage = open_storage(settings.storage_url, settings.data_dir)
    files, missing, last = 0, list[str](), None
    async with open_database(settings, NO_SUBSCRIBERS) as database:
        while True:
            async with database.reading() as session:
                page = await find_needed(session, last, FILES_AT_ONCE)
            if not page:
                return files, missing
            there = await asyncio.gather(*map(storage.has, page))
            missing += [key_of(each) for each, is_there in zip(page, there, strict=True) if not is_there]
            files, last = files + len(page), page[-1]


async def kept_mail(settings: Settings) -> Sequence[KeptMail]:
    async with open_database(settings, SUBSCRIBERS) as database, database.reading() as session:
        return await find_kept(session)


async def list_jobs(settings: Settings) -> Sequence[AnyRow]:
    async with open_database(settings, SUBSCRIBERS) as database, database.reading() as session:
        return await JobService(session).all()


async def retry_job(settings: Settings, job_id: int) -> None:
    async with open_database(settings, SUBSCRIBERS) as database, database.transaction() as session:
        await JobService(session).put_back(job_id)


@asynccontextmanager
async def acting_as(database: Database, settings: Settings, login: str, command: str) -> AsyncIterator[Actor]:
    """Have the rights of a user, and no more, for as long as the command takes."""
    keys = Keys.of(settings)
    async with database.transaction() as session:
        actor = await SessionService(session, keys).act_as(login, command)
    try:
        yield actor
    finally:
        async with database.transaction() as session:
            await SessionService(session, keys).log_out(actor)
