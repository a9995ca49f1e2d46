from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.workspaces.access import role_in

from . import policy
from .access import access_to
from .events import (
    LabelCreated,
    LabelDeleted,
    LabelUpdated,
    ProjectCreated,
    ProjectDeleted,
    ProjectUpdated,
)
from .models import DEFAULT_STATUSES, Label, Project, Status
from .repository import LabelRepository, ProjectRepository
from .schemas import (
    LabelCreate,
    LabelQuery,
    LabelUpdate,
    ProjectCreate,
    ProjectQuery,
    ProjectUpdate,
)


class ProjectService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._projects = ProjectRepository(session)
        self._outbox = Outbox(session)

    async def create(
        self, actor: Actor, workspace_id: UUID, new: ProjectCreate, source: str | None = None
    ) -> Project:
        """With the source that it is made for, where an import makes it."""
        require(policy.can_create(await role_in(self._session, actor, workspace_id)))
        project = Project(
            workspace_id=workspace_id, created_by=actor.user_id, source=source, **new.model_dump()
        )
        await self._projects.add(project)
        await self._projects.add_statuses(
            [
                Status(
                    workspace_id=workspace_id,
                    project_id=project.id,
                    key=key,
                    name=name,
                    category=category,
                    color=color,
                    position=position,
                )
                for position, (key, name, category, color) in enumerate(DEFAULT_STATUSES)
            ]
        )
        self._outbox.record(actor, ProjectCreated.of(project))
        return project

    async def get(self, actor: Actor, project_id: UUID) -> AnyRow:
        return await self._projects.get(actor, project_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: ProjectQuery) -> Page[AnyRow]:
        page = await self._projects.page(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def find_by_key(self, actor: Actor, workspace_id: UUID, key: str) -> UUID | None:
        return await self._projects.find_by_key(actor, workspace_id, key)

    async def find_by_source(self, actor: Actor, workspace_id: UUID, source: str) -> AnyRow | None:
        """Return `id` and `key` of the first one that an import has made for the source."""
        return await self._projects.find_by_source(actor, workspace_id, source)

    async def keys(self, actor: Actor, workspace_id: UUID) -> set[str]:
        return await self._projects.keys(actor, workspace_id)

    async def update(
        self, actor: Actor, project_id: UUID, changes: ProjectUpdate, precondition: Precondition
    ) -> Project:
        project, role = await self._projects.lock(actor, project_id)
        require(policy.can_edit(role))
        precondition.check(project, changes.sent())
        with self._outbox.updating(actor, ProjectUpdated, project):
            project.change(changes.sent())
            await self._projects.flush()
        return project

    async def delete(self, actor: Actor, project_id: UUID, precondition: Precondition) -> None:
        project, role = await self._projects.lock(actor, project_id)
        require(policy.can_delete(role))
        precondition.check(project)
        self._outbox.record(actor, ProjectDeleted.of(project))
        project.change({"deleted_at": func.now()})


class LabelService:
    """The labels of projects and of whole workspaces.

    Taking one off its tasks is the task slice's work, and so is deleting it.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._labels = LabelRepository(session)
        self._projects = ProjectRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, project_id: UUID, new: LabelCreate) -> Label:
        project = await access_to(self._session, actor, project_id)
        require(policy.can_label(project.role, project_id))
        return await self._add(actor, project.workspace_id, project_id, new)

    async def create_in_workspace(self, actor: Actor, workspace_id: UUID, new: LabelCreate) -> Label:
        require(policy.can_label(await role_in(self._session, actor, workspace_id), None))
        return await self._add(actor, workspace_id, None, new)

    async def get(self, actor: Actor, label_id: UUID) -> AnyRow:
        return await self._labels.get(actor, label_id)

    async def page(self, actor: Actor, project_id: UUID, query: LabelQuery) -> Page[AnyRow]:
        """Of the project's own labels, and its workspace's."""
        page = await self._labels.page_of_project(actor, project_id, query)
        if not page.items:
            await access_to(self._session, actor, project_id)
        return page

    async def page_of_workspace(self, actor: Actor, workspace_id: UUID, query: LabelQuery) -> Page[AnyRow]:
        page = await self._labels.page_of_workspace(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def ids_by_name(self, actor: Actor, project_id: UUID) -> dict[str, UUID]:
        """All labels that the project's tasks may have, by their names in lower case."""
        return await self._labels.ids_by_name(actor, project_id)

    async def names_in_workspace(self, actor: Actor, workspace_id: UUID) -> set[str]:
        """Of the labels for the tasks of every project, in lower case."""
        return await self._labels.names_in_workspace(actor, workspace_id)

    async def prepare_deletion(self, actor: Actor, label_id: UUID, precondition: Precondition) -> Label:
        label, role = await self._labels.lock(actor, label_id)
        require(policy.can_label(role, label.project_id))
        precondition.check(label)
        self._outbox.record(actor, LabelDeleted.of(label))
        return label

    async def update(
        self, actor: Actor, label_id: UUID, changes: LabelUpdate, precondition: Precondition
    ) -> Label:
        label, role = await self._labels.lock(actor, label_id)
        require(policy.can_label(role, label.project_id))
        precondition.check(label, changes.sent())
        with self._outbox.updating(actor, LabelUpdated, label):
            label.change(changes.sent())
            await self._labels.flush()
        return label

    async def _add(
        self, actor: Actor, workspace_id: UUID, project_id: UUID | None, new: LabelCreate
    ) -> Label:
        label = Label(workspace_id=workspace_id, project_id=project_id, **new.model_dump())
        await self._labels.add(label)
        self._outbox.record(actor, LabelCreated.of(label))
        return label
