from collections.abc import Sequence
from typing import NoReturn
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.intake.schemas import Fault
from glasswork.features.projects.access import access as projects
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Role, Workspace

from .errors import ImportNotFoundError
from .models import MOST_FAULTS, CheckedRecord, Import, ImportFault, ImportStatus
from .schemas import ImportRead

_COLUMNS = tuple(getattr(Import, name) for name in ImportRead.model_fields)
_IMPORTS = select(*_COLUMNS).join(access, access.c.workspace_id == Import.workspace_id)
_STANDING = (
    select(Import).join(Workspace, Workspace.id == Import.workspace_id).where(Workspace.deleted_at.is_(None))
)
_SORT_KEYS = {"created_at": SortKey.of(Import.created_at, AwareDatetime)}
_FAULT_KEYS = {"number": SortKey.of(ImportFault.number, int)}


class ImportRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, import_id: UUID) -> AnyRow:
        row = (await self._session.execute(_IMPORTS.where(Import.id == import_id), actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, import_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _IMPORTS.where(Import.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Import.id, actor.binds)

    async def faults(self, actor: Actor, import_id: UUID, query: PageQuery) -> Page[AnyRow]:
        of_import = and_(ImportFault.workspace_id == Import.workspace_id, ImportFault.import_id == Import.id)
        statement = (
            select(ImportFault.number, ImportFault.place, ImportFault.code, ImportFault.message)
            .join(Import, of_import)
            .join(access, access.c.workspace_id == Import.workspace_id)
            .where(Import.id == import_id)
        )
        return await fetch_page(self._session, statement, query, _FAULT_KEYS, ImportFault.number, actor.binds)

    async def lock(self, actor: Actor, import_id: UUID) -> Row[Import, Role]:
        statement = (
            select(Import, access.c.role)
            .join(access, access.c.workspace_id == Import.workspace_id)
            .where(Import.id == import_id)
            .with_for_update(of=Import)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, import_id)

    async def find(self, import_id: UUID) -> Import | None:
        """For whoever carries it out; None: it is gone, and so is what it was for."""
        return await self._session.scalar(_STANDING.where(Import.id == import_id))

    async def find_locked(self, import_id: UUID) -> Import | None:
        statement = _STANDING.where(Import.id == import_id).with_for_update(of=Import)
        return await self._session.scalar(statement.execution_options(populate_existing=True))

    async def open_count(self, workspace_id: UUID) -> int:
        """Until the commit nobody else adds one."""
        key = func.hashtextextended(f"imports {workspace_id}", 0)
        await self._session.execute(select(func.pg_advisory_xact_lock(key)))
        statement = select(func.count()).where(
            Import.workspace_id == workspace_id, Import.status != ImportStatus.COMPLETED
        )
        return (await self._session.execute(statement)).scalar_one()

    async def has_project(self, actor: Actor, workspace_id: UUID, project_id: UUID) -> bool:
        statement = select(projects.c.project_id).where(
            projects.c.workspace_id == workspace_id, projects.c.project_id == project_id
        )
        return (await self._session.execute(statement, actor.binds)).first() is not None

    async def add(self, import_: Import) -> None:
        self._session.add(import_)
        await self._session.flush()

    async def flush(self) -> None:
        await self._session.flush()

    async def delete(self, import_: Import) -> None:
        await self._session.delete(import_)
        await self._session.flush()

    async def keep_faults(self, import_: Import, faults: Sequence[Fault]) -> None:
        """Those that there is room for, behind the ones that are counted already."""
        numbered = enumerate(faults, start=import_.faults + 1)
        rows = [
            ImportFault(
                workspace_id=import_.workspace_id,
                import_id=import_.id,
                number=number,
                place=fault.place,
                code=fault.code,
                message=fault.message,
            )
            for number, fault in numbered
            if number <= MOST_FAULTS
        ]
        self._session.add_all(rows)
        await self._session.flush()

    async def forget_faults(self, import_: Import) -> None:
        await self._forget(ImportFault, import_)

    async def forget_checked(self, import_: Import) -> None:
        await self._forget(CheckedRecord, import_)

    async def _forget(self, part: type[ImportFault | CheckedRecord], import_: Import) -> None:
        is_its = and_(part.workspace_id == import_.workspace_id, part.import_id == import_.id)
        await self._session.execute(delete(part).where(is_its))

    async def _miss(self, actor: Actor, import_id: UUID) -> NoReturn:
        await ensure_signed_in(self._session, actor)
        raise ImportNotFoundError(import_id)
