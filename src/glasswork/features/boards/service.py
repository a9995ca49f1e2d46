from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.features.projects.access import access_to
from glasswork.features.projects.models import Category
from glasswork.features.tasks.models import Priority

from .repository import ALL, BY_ASSIGNEE, BY_PRIORITY, BY_STATUS, BoardRepository, FoundColumn, cursor_in
from .schemas import AssigneeCount, BoardQuery, ShownBoard, ShownColumn, StatusCount, Summary

_MAX_ASSIGNEES = 100


class BoardService:
    """A project at one glance."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._boards = BoardRepository(session)

    async def board(self, actor: Actor, project_id: UUID, query: BoardQuery) -> ShownBoard:
        columns = await self._boards.board(actor, project_id, query.limit + 1)
        if not columns:
            await access_to(self._session, actor, project_id)
        return ShownBoard([_column(column, query.limit) for column in columns])

    async def summary(self, actor: Actor, project_id: UUID, time_zone: str) -> Summary:
        sets = await self._boards.summary(actor, project_id, time_zone)
        if not sets[BY_STATUS]:
            await access_to(self._session, actor, project_id)
        by_status = [StatusCount.model_validate(row) for row in sets[BY_STATUS]]
        by_priority = {row.priority: row.count for row in sets[BY_PRIORITY]}
        assignees = [row for row in sets[BY_ASSIGNEE] if row.assignee_id is not None]
        (everything,) = sets[ALL]
        return Summary(
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


def _column(column: FoundColumn, limit: int) -> ShownColumn:
    tasks = column.tasks
    return ShownColumn(
        status=column.status,
        count=column.count,
        items=[task for task, _ in tasks[:limit]],
        next_cursor=cursor_in(column.status.key, tasks[limit - 1][1]) if len(tasks) > limit else None,
    )
