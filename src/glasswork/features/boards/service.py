from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.cache import Asked, Cache, Kept
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import access_to, miss
from glasswork.features.projects.models import Category
from glasswork.features.tasks.models import Priority
from glasswork.features.tasks.schemas import TaskRead

from .repository import ALL, BY_ASSIGNEE, BY_PRIORITY, BY_STATUS, BoardRepository, cursor_in
from .schemas import AssigneeCount, Board, BoardQuery, Column, ColumnStatus, StatusCount, Summary

_MAX_ASSIGNEES = 100
_SUMMARY = "summary"


class BoardService:
    """A project at one glance."""

    def __init__(self, session: AsyncSession, cache: Cache) -> None:
        self._session = session
        self._cache = cache
        self._boards = BoardRepository(session)

    async def board(self, actor: Actor, project_id: UUID, query: BoardQuery) -> Board:
        rows = await self._boards.board(actor, project_id, query.limit + 1)
        if not rows:
            await access_to(self._session, actor, project_id)
        by_status = groupby(rows, key=lambda row: row.column_id)
        return Board(columns=[_column(list(tasks), query.limit) for _, tasks in by_status])

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


def _column(rows: Sequence[AnyRow], limit: int) -> Column:
    status = {name: getattr(rows[0], f"column_{name}") for name in ColumnStatus.model_fields}
    tasks = [row for row in rows if row.id is not None]
    return Column(
        status=ColumnStatus.model_validate(status),
        count=rows[0].column_count,
        items=[TaskRead.model_validate(task) for task in tasks[:limit]],
        next_cursor=cursor_in(status["key"], tasks[limit - 1]) if len(tasks) > limit else None,
    )
