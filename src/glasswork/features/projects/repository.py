from typing import NoReturn
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Row, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.workspaces.access import access as workspace_access
from glasswork.features.workspaces.models import Role

from .access import access, miss
from .errors import LabelNameTakenError, LabelNotFoundError, ProjectKeyTakenError
from .models import Label, Project, Status

_PROJECTS = (
    select(
        Project.id,
        Project.workspace_id,
        Project.key,
        Project.name,
        Project.description,
        Project.created_by,
        Project.version,
        Project.created_at,
        Project.updated_at,
    )
    .join(workspace_access, workspace_access.c.workspace_id == Project.workspace_id)
    .where(Project.deleted_at.is_(None))
)
_PROJECT_SORT_KEYS = {
    "key": SortKey.of(Project.key.collate("C"), str),
    "name": SortKey.of(Project.name.collate("C"), str),
    "created_at": SortKey.of(Project.created_at, AwareDatetime),
}
_STANDS = or_(
    Label.project_id.is_(None),
    exists(select(Project.id).where(Project.id == Label.project_id, Project.deleted_at.is_(None))),
)
_LABELS = (
    select(
        Label.id,
        Label.workspace_id,
        Label.project_id,
        Label.name,
        Label.color,
        Label.description,
        Label.version,
        Label.created_at,
        Label.updated_at,
    )
    .join(workspace_access, workspace_access.c.workspace_id == Label.workspace_id)
    .where(_STANDS)
)
_LABEL_SORT_KEYS = {
    "name": SortKey.of(func.lower(Label.name).collate("C"), str),
    "created_at": SortKey.of(Label.created_at, AwareDatetime),
}


class ProjectRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, project: Project) -> Project:
        self._session.add(project)
        await self.flush()
        return project

    async def add_statuses(self, statuses: list[Status]) -> None:
        self._session.add_all(statuses)
        await self._session.flush()

    async def flush(self) -> None:
        """Store what has changed now, so that a constraint is violated here and not at commit."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "uq_projects_key":
                raise ProjectKeyTakenError from error
            raise

    async def get(self, actor: Actor, project_id: UUID) -> AnyRow:
        statement = _PROJECTS.where(Project.id == project_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await miss(self._session, actor, project_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _PROJECTS.where(Project.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _PROJECT_SORT_KEYS, Project.id, actor.binds)

    async def find_by_key(self, actor: Actor, workspace_id: UUID, key: str) -> UUID | None:
        statement = select(access.c.project_id).where(
            access.c.workspace_id == workspace_id, access.c.key == key
        )
        return (await self._session.execute(statement, actor.binds)).scalar_one_or_none()

    async def find_by_source(self, actor: Actor, workspace_id: UUID, source: str) -> AnyRow | None:
        its = (Project.workspace_id == workspace_id, Project.source == source)
        statement = _PROJECTS.with_only_columns(Project.id, Project.key).where(*its).order_by(Project.id)
        return (await self._session.execute(statement.limit(1), actor.binds)).one_or_none()

    async def keys(self, actor: Actor, workspace_id: UUID) -> set[str]:
        statement = select(access.c.key).where(access.c.workspace_id == workspace_id)
        return set((await self._session.scalars(statement, actor.binds)).all())

    async def lock(self, actor: Actor, project_id: UUID) -> Row[Project, Role]:
        statement = (
            select(Project, access.c.role)
            .join(access, access.c.project_id == Project.id)
            .where(Project.id == project_id, Project.deleted_at.is_(None))
            .with_for_update(of=Project)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await miss(self._session, actor, project_id)


class LabelRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, label: Label) -> Label:
        self._session.add(label)
        await self.flush()
        return label

    async def flush(self) -> None:
        """Store what has changed now, so that a constraint is violated here and not at commit."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "uq_labels_name":
                raise LabelNameTakenError from error
            raise

    async def get(self, actor: Actor, label_id: UUID) -> AnyRow:
        statement = _LABELS.where(Label.id == label_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, label_id)

    async def page_of_project(self, actor: Actor, project_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _LABELS.where(*_fits(project_id))
        return await fetch_page(self._session, statement, query, _LABEL_SORT_KEYS, Label.id, actor.binds)

    async def page_of_workspace(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _LABELS.where(Label.workspace_id == workspace_id, Label.project_id.is_(None))
        return await fetch_page(self._session, statement, query, _LABEL_SORT_KEYS, Label.id, actor.binds)

    async def ids_by_name(self, actor: Actor, project_id: UUID) -> dict[str, UUID]:
        # The project's own come last, and so take precedence.
        statement = _LABELS.with_only_columns(Label.name, Label.id).order_by(Label.project_id.nulls_first())
        rows = await self._session.execute(statement.where(*_fits(project_id)), actor.binds)
        # Not PostgreSQL's lower(): who looks a name up has only Python's, and for some letters they differ.
        return {name.lower(): label_id for name, label_id in rows}

    async def names_in_workspace(self, actor: Actor, workspace_id: UUID) -> set[str]:
        its = (Label.workspace_id == workspace_id, Label.project_id.is_(None))
        statement = _LABELS.with_only_columns(Label.name).where(*its)
        return {name.lower() for name in await self._session.scalars(statement, actor.binds)}

    async def lock(self, actor: Actor, label_id: UUID) -> Row[Label, Role]:
        statement = (
            select(Label, workspace_access.c.role)
            .join(workspace_access, workspace_access.c.workspace_id == Label.workspace_id)
            .where(Label.id == label_id, _STANDS)
            .with_for_update(of=Label, key_share=True)
            .execution_options(populate_existing=True)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, label_id)

    async def _miss(self, actor: Actor, label_id: UUID) -> NoReturn:
        await ensure_signed_in(self._session, actor)
        raise LabelNotFoundError(label_id)


def _fits(project_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """Labels that tasks of the project may have: its own, and those of its workspace."""
    workspace_id = select(Project.workspace_id).where(Project.id == project_id, Project.deleted_at.is_(None))
    is_own = Label.project_id == project_id
    return Label.workspace_id == workspace_id.scalar_subquery(), or_(is_own, Label.project_id.is_(None))
