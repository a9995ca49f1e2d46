from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import AnySelect, Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, ensure_signed_in
from glasswork.features.accounts.models import User
from glasswork.features.projects.access import access as project_access
from glasswork.features.projects.models import Category, Project, Status
from glasswork.features.tasks.access import LISTED, task_key
from glasswork.features.tasks.models import Task, absent_last
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Membership, Workspace

from .errors import CalendarFeedNotFoundError, CalendarNotFoundError
from .models import CalendarFeed, FeedFilter

MOST: Final = 1_000
"""Tasks of a calendar: those whose dates come first."""
BACK: Final = timedelta(days=90)
"""What was due longer ago is not shown any more."""
MOST_CHARACTERS: Final = 500
"""Of a description."""

_FEEDS = (
    select(
        CalendarFeed.id,
        CalendarFeed.user_id,
        CalendarFeed.workspace_id,
        CalendarFeed.project_id,
        CalendarFeed.name,
        CalendarFeed.filter,
        CalendarFeed.time_zone,
        CalendarFeed.version,
        CalendarFeed.created_at,
        CalendarFeed.updated_at,
    )
    .join(access, access.c.workspace_id == CalendarFeed.workspace_id)
    .where(CalendarFeed.user_id == ACTOR_ID)
)
_OPEN = (
    select(
        CalendarFeed.user_id,
        CalendarFeed.workspace_id,
        CalendarFeed.project_id,
        CalendarFeed.name,
        CalendarFeed.filter,
        CalendarFeed.time_zone,
    )
    .join(User, User.id == CalendarFeed.user_id)
    .join(Workspace, Workspace.id == CalendarFeed.workspace_id)
    .join(
        Membership,
        and_(
            Membership.workspace_id == CalendarFeed.workspace_id, Membership.user_id == CalendarFeed.user_id
        ),
    )
    .outerjoin(
        Project,
        and_(Project.workspace_id == CalendarFeed.workspace_id, Project.id == CalendarFeed.project_id),
    )
    .where(
        CalendarFeed.token_hash == bindparam("token_hash"),
        User.is_active,
        Workspace.deleted_at.is_(None),
        Membership.removed_at.is_(None),
        or_(CalendarFeed.project_id.is_(None), Project.deleted_at.is_(None)),
    )
)
"""For whoever has the link: its maker is asked about, and not who asks."""
_OPEN_STATUSES = (
    select(Status.id)
    .join(Project, and_(Project.workspace_id == Status.workspace_id, Project.id == Status.project_id))
    .where(Status.category != Category.DONE, Project.deleted_at.is_(None))
)
_TASKS = LISTED.with_only_columns(
    Task.id,
    task_key(Project.key).label("key"),
    Task.title,
    func.left(Task.description, MOST_CHARACTERS).label("description"),
    Task.due_at,
    Task.start_at,
    Task.version,
    Task.created_at,
    Task.updated_at,
).order_by(func.coalesce(Task.due_at, Task.start_at), Task.id)
_SORT_KEYS = {"created_at": SortKey.of(CalendarFeed.created_at, AwareDatetime)}


class CalendarFeedRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, feed_id: UUID) -> AnyRow:
        statement = _FEEDS.where(CalendarFeed.id == feed_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, feed_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _FEEDS.where(CalendarFeed.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, CalendarFeed.id, actor.binds)

    async def lock(self, actor: Actor, feed_id: UUID) -> CalendarFeed:
        statement = (
            select(CalendarFeed)
            .join(access, access.c.workspace_id == CalendarFeed.workspace_id)
            .where(CalendarFeed.id == feed_id, CalendarFeed.user_id == ACTOR_ID)
            .with_for_update(of=CalendarFeed)
        )
        feed = (await self._session.execute(statement, actor.binds)).scalar_one_or_none()
        return feed if feed is not None else await self._miss(actor, feed_id)

    async def has_project(self, actor: Actor, workspace_id: UUID, project_id: UUID) -> bool:
        statement = select(project_access.c.project_id).where(
            project_access.c.workspace_id == workspace_id, project_access.c.project_id == project_id
        )
        return (await self._session.execute(statement, actor.binds)).first() is not None

    async def add(self, feed: CalendarFeed) -> None:
        self._session.add(feed)
        await self._session.flush()

    async def delete(self, feed: CalendarFeed) -> None:
        await self._session.delete(feed)
        await self._session.flush()

    async def get_open(self, token_hash: str) -> AnyRow:
        row = (await self._session.execute(_OPEN, {"token_hash": token_hash})).one_or_none()
        if row is None:
            raise CalendarNotFoundError
        return row

    async def tasks(self, feed: AnyRow) -> Sequence[AnyRow]:
        """Open ones with a date."""
        statuses = [Status.workspace_id == feed.workspace_id]
        inside = [Task.workspace_id == feed.workspace_id]
        if feed.project_id is not None:
            statuses.append(Status.project_id == feed.project_id)
            inside.append(Task.project_id == feed.project_id)
        if feed.filter is FeedFilter.MINE:
            inside.append(Task.assignee_id == feed.user_id)
        open_ = _OPEN_STATUSES.where(*statuses).scalar_subquery()
        inside.append(Task.status_id == func.any(func.array(open_)))
        dated = union_all(
            _dated(Task.due_at).where(*inside), _dated(Task.start_at).where(*inside, Task.due_at.is_(None))
        ).subquery()
        first = select(dated.c.id).order_by(dated.c.at, dated.c.id).limit(MOST).scalar_subquery()
        statement = _TASKS.where(Task.id == func.any(func.array(first)))
        return (await self._session.execute(statement)).all()

    async def _miss(self, actor: Actor, feed_id: UUID) -> NoReturn:
        await ensure_signed_in(self._session, actor)
        raise CalendarFeedNotFoundError(feed_id)


def _dated(moment: Any) -> AnySelect:
    """Ids, in the order of an index: with the joins of `LISTED` the planner would rather read all tasks."""
    at: ColumnElement[Any] = absent_last(moment, descending=False)
    return (
        select(Task.id, at.label("at"))
        .where(
            moment.is_not(None),
            at >= func.now() - BACK,
            Task.archived_at.is_(None),
            Task.deleted_at.is_(None),
        )
        .order_by(at, Task.id)
        .limit(MOST)
    )
