from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Final
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

from .errors import RelationNotFoundError, cyclic_blocks, too_many, unknown_task
from .events import RelationCreated, RelationDeleted
from .models import Kind, Relation
from .repository import RelationRepository
from .schemas import STORED, RelationCreate, RelationQuery

MOST: Final = 100
"""Relations of a task."""


class RelationService:
    """What tasks of a workspace are to each other."""

    def __init__(self, session: AsyncSession) -> None:
        self._relations = RelationRepository(session)
        self._tasks = TaskService(session)
        self._outbox = Outbox(session)

    async def page(self, actor: Actor, task_id: UUID, query: RelationQuery) -> Page[AnyRow]:
        page = await self._relations.page(actor, task_id, query)
        if not page.items:
            await self._tasks.get(actor, task_id)
        return page

    async def get(self, actor: Actor, task_id: UUID, relation_id: UUID) -> AnyRow:
        relation = await self._relations.find(actor, task_id, relation_id)
        if relation is None:
            await self._tasks.get(actor, task_id)
            raise RelationNotFoundError(relation_id)
        return relation

    async def create(self, actor: Actor, task_id: UUID, new: RelationCreate) -> AnyRow:
        roles = await self._relations.lock_tasks(actor, {task_id, new.task_id})
        task = await self._tasks.get(actor, task_id)
        require(can_write(roles[task_id]))
        other = await self._relations.find_standing(actor, task.workspace_id, new.task_id)
        if other is None or other.id == task.id:
            raise unknown_task()
        kind, is_outward = STORED[new.kind]
        from_id, to_id = (task.id, other.id) if is_outward else (other.id, task.id)
        if kind is Kind.RELATES:
            from_id, to_id = sorted((from_id, to_id))
        relation = Relation(workspace_id=task.workspace_id, kind=kind, from_id=from_id, to_id=to_id)
        await self._check(relation)
        await self._relations.add(relation)
        self._outbox.record(actor, RelationCreated.of(relation))
        return await self._relations.get(actor, task_id, relation.id)

    async def delete(
        self, actor: Actor, task_id: UUID, relation_id: UUID, precondition: Precondition
    ) -> None:
        await self.get(actor, task_id, relation_id)
        relation, role = await self._relations.lock(actor, relation_id)
        require(can_write(role))
        precondition.check(relation)
        self._outbox.record(actor, RelationDeleted.of(relation))
        await self._relations.delete(relation)

    async def _check(self, relation: Relation) -> None:
        from_id, to_id = relation.from_id, relation.to_id
        if await self._relations.count_most(relation.workspace_id, (from_id, to_id)) >= MOST:
            raise too_many(MOST)
        if relation.kind is Kind.BLOCKS:
            await self._relations.lock_blocks(relation.workspace_id)
            way = _way(await self._relations.blocked_by(to_id), to_id, from_id)
            if way:
                keys = await self._relations.keys(way)
                raise cyclic_blocks([keys[task_id] for task_id in (from_id, *way)])


def _way(pairs: Sequence[tuple[UUID, UUID]], start: UUID, end: UUID) -> list[UUID]:
    """Return the shortest way along the pairs, both ends included; empty: there is none."""
    blocked = defaultdict(list)
    for from_id, to_id in pairs:
        blocked[from_id].append(to_id)
    before: dict[UUID, UUID] = {}
    ahead = deque([start])
    while ahead:
        here = ahead.popleft()
        for to_id in blocked[here]:
            if to_id not in before:
                before[to_id] = here
                ahead.append(to_id)
    if end not in before:
        return []
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]
