import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.errors import AppError, OutcomeUnknownError, require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.receiving import discard, receive
from glasswork.core.statements import AnyRow
from glasswork.core.storage import Storage, announce
from glasswork.core.tokens import Keys
from glasswork.features.intake.schemas import Fault, Item, Stored, Survey
from glasswork.features.workspaces.access import role_in

from . import policy
from .errors import (
    ImportUnderWayError,
    NoFileError,
    TooManyImportsError,
    one_project,
    project_needed,
    token_not_taken,
    unknown_project,
)
from .events import ImportCreated, ImportDeleted, ImportUpdated
from .models import Import, ImportFormat, ImportStatus
from .repository import ImportRepository
from .schemas import FaultQuery, ImportCreate, ImportQuery, ImportStart

MOST_OPEN: Final = 50
"""Imports of a workspace that are not completed."""

_BEGINNING: Final = {
    "position": None,
    "total": None,
    "done": 0,
    "tasks": 0,
    "tasks_there": 0,
    "comments": 0,
    "comments_there": 0,
    "labels": 0,
    "faults": 0,
    "error_code": None,
    "error": None,
    "started_at": None,
    "ended_at": None,
}
_NEEDS_PROJECT: Final = frozenset({ImportFormat.CSV, ImportFormat.TODOIST})
"""Their files have no name that a project could be made with."""


class ImportService:
    """What is to come from another tracker; the slice `importing` carries it out."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._session = session
        self._keys = keys
        self._imports = ImportRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID, new: ImportCreate) -> Import:
        require(policy.can_make(await role_in(self._session, actor, workspace_id)))
        await self._check_project(actor, workspace_id, new)
        if await self._imports.open_count(workspace_id) >= MOST_OPEN:
            raise TooManyImportsError(MOST_OPEN)
        import_id = uuid7()
        options = new.model_dump(mode="json", include={"options"}, exclude={"options": {"token"}})
        token = new.options.token if new.format is ImportFormat.GITHUB else None
        import_ = Import(
            id=import_id,
            workspace_id=workspace_id,
            project_id=new.project_id,
            options=options.get("options", {}),
            secret=policy.seal_token(self._keys, import_id, token),
            status=ImportStatus.AWAITING_FILE if new.format.has_file else ImportStatus.QUEUED,
            created_by=actor.user_id,
            **new.model_dump(mode="json", include={"format", "project_key", "on_error", "dry_run"}),
        )
        await self._imports.add(import_)
        self._outbox.record(actor, ImportCreated.of(import_))
        return import_

    async def get(self, actor: Actor, import_id: UUID) -> AnyRow:
        return await self._imports.get(actor, import_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: ImportQuery) -> Page[AnyRow]:
        page = await self._imports.page(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def faults(self, actor: Actor, import_id: UUID, query: FaultQuery) -> Page[AnyRow]:
        page = await self._imports.faults(actor, import_id, query)
        if not page.items:
            await self.get(actor, import_id)
        return page

    async def start(self, actor: Actor, import_id: UUID, start: ImportStart) -> Import:
        """From the beginning: what is stored already is there, and stays."""
        import_ = await _lock(self._imports, actor, import_id)
        if import_.status is ImportStatus.AWAITING_FILE:
            raise NoFileError
        if not import_.status.is_startable:
            raise ImportUnderWayError
        if start.token is not None and import_.format is not ImportFormat.GITHUB:
            raise token_not_taken()
        with self._outbox.updating(actor, ImportUpdated, import_):
            await self._imports.forget_faults(import_)
            on_error = start.on_error or import_.on_error
            queued = {"status": ImportStatus.QUEUED, "on_error": on_error, "dry_run": start.dry_run}
            import_.secret = policy.seal_token(self._keys, import_id, start.token)
            import_.change(_BEGINNING | queued)
            await self._imports.flush()
        return import_

    async def delete(self, actor: Actor, import_id: UUID, precondition: Precondition) -> None:
        """What is under way ends; what it has stored stays."""
        import_ = await _lock(self._imports, actor, import_id)
        precondition.check(import_)
        self._outbox.record(actor, ImportDeleted.of(import_))
        await self._imports.delete(import_)

    async def _check_project(self, actor: Actor, workspace_id: UUID, new: ImportCreate) -> None:
        if new.project_id is not None and new.project_key is not None:
            raise one_project()
        if new.format in _NEEDS_PROJECT and new.project_id is None and new.project_key is None:
            raise project_needed()
        if new.project_id and not await self._imports.has_project(actor, workspace_id, new.project_id):
            raise unknown_project()


class ImportFileService:
    """Takes files in: a transaction before the bytes, and one behind them."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def put(self, actor: Actor, import_id: UUID, chunks: AsyncIterator[bytes]) -> Import:
        """Store the file, and have the import begin."""
        async with self._database.transaction(actor) as session:
            await self._find(session, actor, import_id)
            object_id = await announce(session)
        try:
            received = await receive(self._storage, object_id, chunks)
            async with self._database.transaction(actor) as session:
                import_ = await self._find(session, actor, import_id)
                with Outbox(session).updating(actor, ImportUpdated, import_):
                    measured = {"size": received.size, "sha256": received.sha256}
                    import_.change({"object_id": object_id, "status": ImportStatus.QUEUED, **measured})
                    await ImportRepository(session).flush()
                return import_
        except OutcomeUnknownError:
            raise  # perhaps the import refers to it now
        except BaseException:
            await asyncio.shield(discard(self._database, self._storage, [object_id]))
            raise

    async def _find(self, session: AsyncSession, actor: Actor, import_id: UUID) -> Import:
        import_ = await _lock(ImportRepository(session), actor, import_id)
        if import_.status is not ImportStatus.AWAITING_FILE:
            raise ImportUnderWayError
        return import_


class ProgressService:
    """For whoever carries imports out."""

    def __init__(self, session: AsyncSession) -> None:
        self._imports = ImportRepository(session)
        self._outbox = Outbox(session)

    async def find(self, import_id: UUID) -> Import | None:
        """None: it is deleted, or its workspace is."""
        return await self._imports.find(import_id)

    async def lock(self, import_id: UUID) -> Import | None:
        return await self._imports.find_locked(import_id)

    async def begin(self, import_: Import, phase: ImportStatus, survey: Survey) -> None:
        """Whoever follows goes on from the first record, and does not survey once more."""
        found = {"source": survey.source, "total": survey.total, "highest": survey.highest}
        started_at = import_.started_at or datetime.now(UTC)
        begun = {"status": phase, "started_at": started_at, "waiting_until": None, "position": {}}
        import_.change(begun | found)
        await self._count(import_, survey.faults)

    async def note(self, import_: Import, items: Sequence[Item], became: Stored) -> None:
        """That these are done, and what became of them."""
        if items:
            import_.position = dict(items[-1].next)
        import_.done += len(items)
        import_.tasks += became.tasks
        import_.tasks_there += became.tasks_there
        import_.comments += became.comments
        import_.comments_there += became.comments_there
        import_.labels += became.labels
        import_.waiting_until = None
        await self._count(import_, became.faults)

    async def wait(self, import_: Import, seconds: int) -> None:
        await self._tell(None, import_, {"waiting_until": datetime.now(UTC) + timedelta(seconds=seconds)})

    async def restart(self, import_: Import, phase: ImportStatus) -> None:
        """From the first record on."""
        import_.change(_BEGINNING | {"status": phase, "started_at": import_.started_at})
        await self._imports.forget_faults(import_)
        await self._imports.forget_checked(import_)

    async def end(self, actor: Actor, import_: Import, status: ImportStatus) -> None:
        """A file that has served its purpose is let go, and a token always."""
        fields = {"status": status, "ended_at": datetime.now(UTC), "secret": None}
        if status is ImportStatus.COMPLETED:
            fields["object_id"] = None
        await self._imports.forget_checked(import_)
        await self._tell(actor, import_, fields)

    async def fail(self, actor: Actor | None, import_: Import, refusal: AppError) -> None:
        await self._imports.forget_checked(import_)
        reason = {"error_code": refusal.code, "error": refusal.message}
        ended = {"ended_at": datetime.now(UTC), "waiting_until": None, "secret": None}
        await self._tell(actor, import_, {"status": ImportStatus.FAILED, **ended, **reason})

    async def flush(self) -> None:
        await self._imports.flush()

    async def _count(self, import_: Import, faults: Sequence[Fault]) -> None:
        await self._imports.keep_faults(import_, faults)
        import_.faults += len(faults)

    async def _tell(self, actor: Actor | None, import_: Import, fields: dict[str, Any]) -> None:
        with self._outbox.updating(actor, ImportUpdated, import_):
            import_.change(fields)
            await self._imports.flush()


async def _lock(imports: ImportRepository, actor: Actor, import_id: UUID) -> Import:
    import_, role = await imports.lock(actor, import_id)
    require(policy.can_manage(role, actor.user_id, import_.created_by))
    return import_
