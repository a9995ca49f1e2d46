from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.cache import Asked, Cache, Kept
from glasswork.features.projects.access import access_to, miss
from glasswork.features.projects.models import Category
from glasswork.features.tasks.models import Priority

from .repository import ALL, BY_ASSIGNEE, BY_PRIORITY, BY_STATUS, BoardRepository, FoundColumn, cursor_in
from .schemas import AssigneeCount, BoardQuery, ShownBoard, ShownColumn, StatusCount, Summary

_MAX_ASSIGNEES = 100
_SUMMARY = "summary"


class BoardService:
    """A project at one glance."""

    def __init__(self, session: AsyncSession, cache: Cache) -> None:
        self._session = session
        self._cache = cache
        self._boards = BoardRepository(session)

    async def board(self, actor: Actor, project_id: UUID, query: BoardQuery) -> ShownBoard:
        columns = await self._boards.board(actor, project_id, query.limit + 1)
        if not columns:
            await access_to(self._session, actor, project_id)
        return ShownBoard([_column(column, query.limit) for column in columns])

    async def summary(self, actor: Actor, project_id: UUID, time_zone: str) -> Summary:
        standing = await self._boards.find_standing(actor, project_id)
        if standing is None:
            await miss(self._session, actor, project_id)
        asked = Asked(
            _SUMMARY, f"{project_id}:{time_zone}", str(standing.workspace_id), standing.last_seq, standing.now
        )
        return await self._cache.fetch(
            Kept[Summary], asked, lambda: self._summarise(standing.workspace_id, project_id, time_zone)
        )

    async def _summarise(self, workspace_id: UUID, project_id: UUID, time_zone: str) -> Kept[Summary]:
        sets = await self._boards.summary(workspace_id, project_id, time_zone)
        by_status = [StatusCount.model_validate(row) for row in sets[BY_STATUS]]
        by_priority = {row.priority: row.count for row in sets[BY_PRIORITY]}
        assignees = [row for row in sets[BY_ASSIGNEE] if row.assignee_id is not None]
        (everything,) = sets[ALL]
        summary = Summary(
            count=everything.count,
            open=everything.open,
            overdue=everything.overdue,
            due_today=everything.due_today,
            unassigned=everything.unassigned,
            estimate_minutes=everything.estimate_minutes,
            open_estimate_minutes=everything.open_estimate_minutes,
            by_status=by_status,
            by_category={
                category: sum(each.count for each in by_status if each.category is category)
                for category in Category
            },
            by_priority={priority: by_priority.get(priority, 0) for priority in Priority},
            by_assignee=[AssigneeCount.model_validate(row) for row in assignees[:_MAX_ASSIGNEES]],
        )
        return Kept(seq=everything.last_seq, until=everything.until, value=summary)


def _column(column: FoundColumn, limit: int) -> ShownColumn:
    tasks = column.tasks
    return ShownColumn(
        status=column.status,
        count=column.count,
        items=[task for task, _ in tasks[:limit]],
        next_cursor=cursor_in(column.status.key, tasks[limit - 1][1]) if len(tasks) > limit else None,
    )
