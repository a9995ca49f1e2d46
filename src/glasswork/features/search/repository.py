import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Select,
    SQLColumnExpression,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.filtering import ME, NULL, any_of
from glasswork.core.local_time import Moments, Period
from glasswork.core.paging import Narrowing, Page, SortKey, fetch_page
from glasswork.core.schemas import Int32, Text
from glasswork.features.comments.models import Comment
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Project, Status
from glasswork.features.tasks.access import LISTED
from glasswork.features.tasks.models import SEARCH_CONFIG, Task, TaskLabel, Watcher, absent_last, rank_of
from glasswork.features.workspaces.access import access as workspace_access

from .access import (
    IS_OVERDUE,
    LABELS,
    MOMENTS,
    WATCHERS,
    Asker,
    are_said,
    are_written,
    conditions,
    has_words,
    is_between,
    websearch,
)
from .schemas import RANKED, Archived, Due, SearchQuery, TaskQuery

MARKS = "\x02", "\x03"
"""Around a word that was found; they are taken out of the text itself."""

_BY_KEY = 2.0
"""More than any text ranks."""
_KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9]{1,9})-([1-9][0-9]{0,8})\s*")
_MARKED = f"StartSel={MARKS[0]}, StopSel={MARKS[1]}"
_WHOLE = f"{_MARKED}, HighlightAll=true"
_SNIPPET = f'{_MARKED}, MaxFragments=2, MaxWords=16, MinWords=6, FragmentDelimiter=" … "'
_READ_CHARACTERS = 10_000
"""So much of a description is looked through for a snippet."""


def _moment(column: Any) -> SortKey:
    ascending, descending = (absent_last(column, descending=down) for down in (False, True))
    return SortKey(ascending, descending, TypeAdapter(AwareDatetime))


_SORT_KEYS = {
    "number": SortKey.of(Task.number, Int32),
    "title": SortKey.of(Task.title, Text),
    "status": SortKey.of(Status.position, Int32),
    "priority": SortKey.of(rank_of(Task.priority), Int32),
    "due_at": _moment(Task.due_at),
    "start_at": _moment(Task.start_at),
    "position": SortKey.of(Task.position, Text),
    "created_at": SortKey.of(Task.created_at, AwareDatetime),
    "updated_at": SortKey.of(Task.updated_at, AwareDatetime),
}


class SearchRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page_of_project(self, actor: Actor, project_id: UUID, query: TaskQuery) -> Page[AnyRow]:
        home = select(Project.workspace_id).where(Project.id == project_id).scalar_subquery()
        is_visible = select(access.c.role).where(access.c.project_id == project_id).exists()
        inside = [is_visible, Task.workspace_id == home, Task.project_id == project_id]
        return await self._page(actor, query, home, inside, [Status.project_id == project_id])

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: TaskQuery, project_ids: Sequence[UUID]
    ) -> Page[AnyRow]:
        inside = [*_inside(workspace_id), *any_of(Task.project_id, project_ids)]
        statuses = [Status.workspace_id == workspace_id, *any_of(Status.project_id, project_ids)]
        return await self._page(actor, query, workspace_id, inside, statuses)

    async def page_of_found(self, actor: Actor, workspace_id: UUID, query: SearchQuery) -> Page[AnyRow]:
        """Rows of `LISTED` with `rank`, `marked_title`, `marked_text`, `comment_id` and `marked_comment`.

        There are MARKS around words found; the comment is the one that has them best, or none.
        """
        inside = [*_inside(workspace_id), *any_of(Task.project_id, query.project_id)]
        hits = _hits(query.q, inside)
        statement = (
            LISTED.add_columns(
                hits.c.rank,
                hits.c.comment_id,
                _headline(Task.title, query.q, _WHOLE).label("marked_title"),
                _snippet(Task.description, query.q).label("marked_text"),
                _snippet(Comment.body, query.q).label("marked_comment"),
            )
            .join(hits, hits.c.id == Task.id)
            .outerjoin(
                Comment, and_(Comment.workspace_id == Task.workspace_id, Comment.id == hits.c.comment_id)
            )
        )
        keys = {"rank": SortKey.of(hits.c.rank, float)}
        return await fetch_page(self._session, statement, query, keys, Task.id, actor.binds)

    async def _page(
        self,
        actor: Actor,
        query: TaskQuery,
        home: Any,
        inside: Sequence[ColumnElement[bool]],
        statuses: Sequence[ColumnElement[bool]],
    ) -> Page[AnyRow]:
        filters, shown = list(_filters(actor, query, home)), list(_archived(query))
        statement = LISTED.where(*inside, *filters, *shown)
        # With a filter few tasks may be left, and to look for them status by status could take longer.
        is_status = not filters and query.sort in {"status", "-status"}
        narrowing = _first_of_each(query.sort, statuses, shown) if is_status else None
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Task.id, actor.binds, narrowing)


def _inside(workspace_id: UUID) -> Sequence[ColumnElement[bool]]:
    is_visible = (
        select(workspace_access.c.role).where(workspace_access.c.workspace_id == workspace_id).exists()
    )
    return is_visible, Task.workspace_id == workspace_id


def _first_of_each(
    sort: str, inside: Sequence[ColumnElement[bool]], shown: Sequence[ColumnElement[bool]]
) -> Narrowing:
    """The tasks of a page are among the first of each status, which an index has in order."""
    is_down = sort.startswith("-")

    def narrowing(place: Sequence[Any] | None, limit: int) -> ColumnElement[bool]:
        statuses = (
            select(Status.id, Status.position)
            .join(access, access.c.project_id == Status.project_id)
            .where(*inside)
            .subquery("each_status")
        )
        of_one = select(Task.id).where(Task.status_id == statuses.c.id, Task.deleted_at.is_(None), *shown)
        if place is not None:
            of_one = of_one.where(_behind(place, statuses.c.position, is_down=is_down))
        order = Task.id.desc() if is_down else Task.id
        firsts = of_one.order_by(order).limit(limit).correlate(statuses).lateral("firsts")
        ids = select(firsts.c.id).select_from(statuses.join(firsts, true())).scalar_subquery()
        return Task.id == func.any(func.array(ids))

    return narrowing


def _behind(place: Sequence[Any], position: ColumnElement[int], *, is_down: bool) -> ColumnElement[bool]:
    """As one comparison with the id, so that an index finds the start in a status that was begun."""
    at, last = place
    if is_down:
        end = case((position < at, literal(UUID(int=2**128 - 1))), (position == at, literal(last)))
        return Task.id < end
    end = case((position > at, literal(UUID(int=0))), (position == at, literal(last)))
    return Task.id > end


def _filters(actor: Actor, query: TaskQuery, home: Any) -> Iterator[ColumnElement[bool]]:
    if query.q is not None:
        yield has_words(query.q, home)
    yield from conditions(query.terms(), Asker(actor.user_id, query.time_zone, home))
    yield from any_of(Status.key, query.status)
    yield from any_of(Status.category, query.category)
    yield from any_of(Task.priority, query.priority)
    yield from any_of(Task.assignee_id, query.assignee_id, me=actor.user_id)
    yield from any_of(Task.created_by, query.created_by, me=actor.user_id)
    yield from any_of(Task.parent_id, query.parent_id)
    yield from _linked(LABELS, TaskLabel.label_id, query.label_id)
    yield from _linked(WATCHERS, Watcher.user_id, query.watcher_id, me=actor.user_id)
    if query.due:
        yield or_(*(_due(days, query.time_zone) for days in query.due))
    if query.estimate_min is not None:
        yield Task.estimate_minutes >= query.estimate_min
    if query.estimate_max is not None:
        yield Task.estimate_minutes <= query.estimate_max
    for name in MOMENTS:
        after, before = getattr(query, f"{name}_after"), getattr(query, f"{name}_before")
        if after is not None or before is not None:
            yield is_between(name, after, before)


def _linked(
    links: Select[UUID], column: Any, wanted: Sequence[Any], me: Any = None
) -> Iterator[ColumnElement[bool]]:
    if wanted:
        known = [me if value == ME else value for value in wanted if value != NULL]
        found = links.where(column.in_(known)).exists()
        yield or_(found, ~links.exists()) if NULL in wanted else found


def _archived(query: TaskQuery) -> Iterator[ColumnElement[bool]]:
    if query.archived is Archived.TRUE:
        yield Task.archived_at.is_not(None)
    elif query.archived is Archived.FALSE and not _asks_for_archived(query):
        yield Task.archived_at.is_(None)


def _asks_for_archived(query: TaskQuery) -> bool:
    """In words, while the parameter is silent."""
    said = any(
        term.field == "is"
        and not term.is_negated
        and any(value.keyword == "archived" for value in term.values)
        for term in query.terms()
    )
    return said and "archived" not in query.model_fields_set


def _due(days: Due, zone: str) -> ColumnElement[bool]:
    match days:
        case Due.NONE:
            return Task.due_at.is_(None)
        case Due.OVERDUE:
            return IS_OVERDUE
        case _:
            moments = Moments.of(Period(days.value), zone)
            return is_between("due", moments.first, moments.end)


def _hits(q: str, inside: Sequence[ColumnElement[bool]]) -> CTE:
    """`id` and `rank` of the newest matches, and of the task whose key it is; and the best `comment_id`."""
    visible = LISTED.with_only_columns(Task.id).where(*inside)
    no_comment = cast(null(), Uuid()).label("comment_id")
    newest = (
        visible.add_columns(_rank(Task.search, q), no_comment)
        .where(are_written(q))
        .order_by(Task.created_at.desc(), Task.id.desc())
        .limit(RANKED)
    )
    said = (
        visible.add_columns(_rank(Comment.search, q), Comment.id.label("comment_id"))
        .join(Comment, and_(Comment.workspace_id == Task.workspace_id, Comment.task_id == Task.id))
        .where(are_said(q))
        .order_by(Comment.created_at.desc(), Comment.id.desc())
        .limit(RANKED)
    )
    found = [newest, said]
    if key := _KEY.fullmatch(q):
        is_named = and_(Project.key == key[1].upper(), Task.number == int(key[2]))
        found.append(visible.add_columns(literal(_BY_KEY, Float()).label("rank"), no_comment).where(is_named))
    either = union_all(*found).subquery()
    best = aggregate_order_by(either.c.comment_id, either.c.rank.desc(), either.c.comment_id)
    comments = func.array_agg(best, type_=ARRAY(Uuid())).filter(either.c.comment_id.is_not(None))
    return (
        select(
            either.c.id,
            func.max(either.c.rank, type_=Float()).label("rank"),
            comments[1].label("comment_id"),
        )
        .group_by(either.c.id)
        .cte("hits")
    )


def _rank(search: SQLColumnExpression[str], q: str) -> ColumnElement[float]:
    return func.ts_rank(search, websearch(q), type_=Float()).label("rank")


def _snippet(text: SQLColumnExpression[Any], q: str) -> ColumnElement[str]:
    return _headline(func.left(text, _READ_CHARACTERS), q, _SNIPPET)


def _headline(text: SQLColumnExpression[str], q: str, options: str) -> ColumnElement[str]:
    return func.ts_headline(SEARCH_CONFIG, func.translate(text, "".join(MARKS), ""), websearch(q), options)
