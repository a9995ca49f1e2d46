"""Carries imports out, a batch at a time: what is stored and how far that is are committed together."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from math import ceil
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.errors import AppError, ServiceUnavailableError
from glasswork.core.tokens import Keys
from glasswork.features.accounts.service import SessionService
from glasswork.features.checking.service import CheckService
from glasswork.features.imports.errors import BrokenRecordsError
from glasswork.features.imports.models import Import, ImportStatus, OnError
from glasswork.features.imports.policy import keys_for, project_for
from glasswork.features.imports.schemas import ImportRead
from glasswork.features.imports.service import ImportService, ProgressService
from glasswork.features.intake.errors import PostponedError
from glasswork.features.intake.schemas import Item, Source, Survey
from glasswork.features.intake.service import IntakeService
from glasswork.features.projects.errors import ProjectKeyTakenError
from glasswork.features.projects.service import ProjectService
from glasswork.features.realtime.schemas import LiveStream
from glasswork.features.sources.service import Sources
from glasswork.features.workspaces.access import role_in

from .errors import ProjectDeletedError

BATCH: Final = 250
"""Records: few enough that nobody who makes a task in the project waits for long."""

LOOK_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 15


class Importer:
    def __init__(self, database: Database, sources: Sources) -> None:
        self._database = database
        self._sources = sources

    async def advance(self, import_id: UUID, seconds: float) -> bool:
        """Go on for so long; return whether there is more to do.

        Whoever was killed, or whom a neighbour failed, is followed by another one, who begins behind the last
        batch. Raises PostponedError where it is to go on later, and other ServiceUnavailableErrors; all other
        refusals end the import, which says why.
        """
        async with self._database.reading() as session:
            seen = await ProgressService(session).find(import_id)
        if seen is not None and seen.waiting_until is not None:
            rest = ceil((seen.waiting_until - datetime.now(UTC)).total_seconds())
            if rest > 0:
                raise PostponedError(rest)
        try:
            return await self._advance(seen, monotonic() + seconds)
        except PostponedError as asked:
            rest = asked.seconds
            await self._change(import_id, lambda progress, import_: progress.wait(import_, rest))
            raise
        except ServiceUnavailableError:
            raise
        except AppError as refusal:
            await self.give_up(import_id, refusal)
            return False

    async def give_up(self, import_id: UUID, refusal: AppError) -> None:
        """It can be started again."""
        await self._change(import_id, lambda progress, import_: progress.fail(None, import_, refusal))

    async def _change(
        self, import_id: UUID, change: Callable[[ProgressService, Import], Awaitable[None]]
    ) -> None:
        """As nobody in particular, if it is still under way."""
        async with self._database.system_transaction() as session:
            progress = ProgressService(session)
            import_ = await progress.lock(import_id)
            if import_ is not None and import_.status.is_under_way:
                await change(progress, import_)

    async def _advance(self, seen: Import | None, until: float) -> bool:
        while seen is not None and seen.status.is_under_way:
            source = self._sources.of(seen)
            if seen.position is None:
                seen = await self._begin(seen, await source.survey())
            if seen is not None:
                phase = seen.status
                seen = await self._go_through(source, seen, until)
                if seen is not None and seen.status is phase:
                    return True
        return False

    async def _begin(self, seen: Import, survey: Survey) -> Import | None:
        """Into the first phase, or into the second."""
        async with self._acting(seen) as (session, actor, import_):
            if import_ is None:
                return None
            progress = ProgressService(session)
            is_checked = import_.dry_run or import_.on_error is OnError.STOP
            if import_.status is ImportStatus.QUEUED and is_checked:
                await progress.begin(import_, ImportStatus.CHECKING, survey)
                await _find_project(session, actor, import_, survey)
                import_.labels = await CheckService(session, actor, import_).add_labels(survey.labels)
                await progress.flush()
                return import_
            await progress.begin(import_, ImportStatus.STORING, survey)
            project_id = await _settle(session, actor, import_, survey)
            intake = IntakeService(session, actor, survey.source)
            import_.labels = await intake.add_labels(project_id, survey.labels)
            await progress.flush()
        return import_

    async def _go_through(self, source: Source, seen: Import, until: float) -> Import | None:
        """Take batches until time or phase is over; None: somebody else does, or it is gone."""
        phase, now = seen.status, seen
        async with aclosing(_batches(source.items(seen.source or "", seen.position))) as batches:
            async for items, is_last in batches:
                stored = await self._step(now, items, is_last)
                if stored is None or stored.status is not phase or monotonic() > until:
                    return stored
                now = stored
        return now

    async def _step(self, seen: Import, items: Sequence[Item], is_last: bool) -> Import | None:
        async with self._acting(seen) as (session, actor, import_):
            if import_ is None:
                return None
            progress = ProgressService(session)
            intake = IntakeService(session, actor, import_.source or "")
            if import_.status is ImportStatus.CHECKING:
                became = await CheckService(session, actor, import_).check(items)
            elif import_.project_id is not None:
                became = await intake.store(import_.project_id, items, import_.highest)
            else:
                raise ProjectDeletedError
            await progress.note(import_, items, became)
            if is_last:
                await _end_phase(progress, actor, import_)
            await progress.flush()
        return import_

    @asynccontextmanager
    async def _acting(self, seen: Import) -> AsyncIterator[tuple[AsyncSession, Actor, Import | None]]:
        """With the rights of who has made the import; it is None where it is no longer as it was seen."""
        actor = Actor(seen.created_by, uuid7())
        async with (
            self._database.transaction(actor) as session,
            SessionService(session, self._sources.keys).lending(actor),
        ):
            await role_in(session, actor, seen.workspace_id)
            import_ = await ProgressService(session).lock(seen.id)
            is_as_seen = import_ is not None and import_.version == seen.version
            yield session, actor, import_ if is_as_seen else None


class ImportWatch:
    """Looks at an import, with the rights that the actor has at that moment."""

    def __init__(self, database: Database, keys: Keys, actor: Actor, import_id: UUID) -> None:
        self._database = database
        self._keys = keys
        self._actor = actor
        self._import_id = import_id

    async def look(self) -> ImportRead:
        async with self._database.reading() as session:
            imports = ImportService(session, self._keys)
            return ImportRead.model_validate(await imports.get(self._actor, self._import_id))

    async def changes(self, stream: LiveStream, seen: ImportRead) -> AsyncIterator[ImportRead | None]:
        """Yield it as it is each time that it has moved, until it rests; None when long nothing has come."""
        silent_since = monotonic()
        while stream.is_open and not seen.status.is_at_rest:
            await stream.take(LOOK_SECONDS)
            try:
                now = await self.look()
            except ServiceUnavailableError:
                continue
            except AppError:
                return
            if now.version != seen.version:
                seen, silent_since = now, monotonic()
                yield seen
            elif monotonic() - silent_since > HEARTBEAT_SECONDS:
                silent_since = monotonic()
                yield None


async def _end_phase(progress: ProgressService, actor: Actor, import_: Import) -> None:
    if import_.status is ImportStatus.STORING:
        await progress.end(actor, import_, ImportStatus.COMPLETED)
    elif import_.dry_run:
        await progress.end(actor, import_, ImportStatus.CHECKED)
    elif import_.faults:
        await progress.fail(actor, import_, BrokenRecordsError(import_.faults))
    else:
        await progress.restart(import_, ImportStatus.STORING)


async def _settle(session: AsyncSession, actor: Actor, import_: Import, survey: Survey) -> UUID:
    """Into the project that is meant, made if it is not there; what is made meanwhile is seen next."""
    while (project_id := await _find_project(session, actor, import_, survey)) is None:
        new = project_for(import_.project_key or "", survey.name, survey.description)
        with suppress(ProjectKeyTakenError):
            async with session.begin_nested():
                projects = ProjectService(session)
                made = await projects.create(actor, import_.workspace_id, new, survey.source)
            import_.project_id = made.id
    return project_id


async def _find_project(session: AsyncSession, actor: Actor, import_: Import, survey: Survey) -> UUID | None:
    """The one that is meant, if it is there; else what is its key."""
    if import_.project_id is not None:
        return import_.project_id
    projects, home = ProjectService(session), import_.workspace_id
    if import_.project_key is not None and not import_.is_key_derived:
        import_.project_id = await projects.find_by_key(actor, home, import_.project_key)
        return import_.project_id
    import_.is_key_derived = True
    found = await projects.find_by_source(actor, home, survey.source)
    if found is not None:
        import_.project_id, import_.project_key = found.id, found.key
    else:
        taken = await projects.keys(actor, home)
        import_.project_key = next(key for key in keys_for(survey.name) if key not in taken)
    return import_.project_id


async def _batches(items: AsyncIterator[Item]) -> AsyncGenerator[tuple[list[Item], bool]]:
    """Yield them together, and whether they are the last; one batch at least, be it empty.

    What a source has given before it fails is not asked for again.
    """
    batch: list[Item] = []
    try:
        async for item in items:
            if len(batch) == BATCH:
                yield batch, False
                batch = []
            batch.append(item)
    except ServiceUnavailableError:
        if batch:
            yield batch, False
        raise
    yield batch, True
