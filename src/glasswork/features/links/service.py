from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.access import role_in

from .errors import TaskLinkNotFoundError
from .events import LinkCreated, LinkDeleted
from .models import LinkKind, TaskLink
from .repository import LinkRepository
from .schemas import Found, TaskLinkCreate, TaskLinkQuery


class LinkService:
    """What stands elsewhere about tasks."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._links = LinkRepository(session)
        self._tasks = TaskService(session)
        self._outbox = Outbox(session)

    async def page(self, actor: Actor, task_id: UUID, query: TaskLinkQuery) -> Page[AnyRow]:
        page = await self._links.page(actor, task_id, query)
        if not page.items:
            await self._tasks.get(actor, task_id)
        return page

    async def get(self, actor: Actor, task_id: UUID, link_id: UUID) -> AnyRow:
        link = await self._links.find(actor, task_id, link_id)
        if link is None:
            await self._tasks.get(actor, task_id)
            raise TaskLinkNotFoundError(link_id)
        return link

    async def create(self, actor: Actor, task_id: UUID, new: TaskLinkCreate) -> TaskLink:
        role = await self._links.lock_task(actor, task_id)
        task = await self._tasks.get(actor, task_id)
        require(can_write(role))
        link = TaskLink(
            workspace_id=task.workspace_id,
            task_id=task_id,
            kind=LinkKind.WEB,
            created_by=actor.user_id,
            **new.model_dump(),
        )
        await self._links.add(link)
        self._outbox.record(actor, LinkCreated.of(link))
        return link

    async def add_all(self, actor: Actor, workspace_id: UUID, found: Sequence[Found]) -> None:
        """Link tasks of the workspace to what names them. Twice is once."""
        require(can_write(await role_in(self._session, actor, workspace_id)))
        common = {"workspace_id": workspace_id, "created_by": actor.user_id}
        # In one order for all: who adds the same links at the same time waits, and is not waited for.
        made = await self._links.add_all([common | asdict(each) for each in sorted(found, key=_place)])
        for link in made:
            self._outbox.record(actor, LinkCreated.of(link))

    async def delete(self, actor: Actor, task_id: UUID, link_id: UUID, precondition: Precondition) -> None:
        await self.get(actor, task_id, link_id)
        link, role = await self._links.lock(actor, link_id)
        require(can_write(role))
        precondition.check(link)
        self._outbox.record(actor, LinkDeleted.of(link))
        await self._links.delete(link)


def _place(found: Found) -> tuple[UUID, str]:
    return found.task_id, found.url
