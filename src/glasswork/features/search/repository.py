import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Integer,
    SQLColumnExpression,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.filtering import AnyOf, Condition
from glasswork.core.listings import Listing
from glasswork.core.paging import Narrowing, Page, SortKey
from glasswork.core.schemas import Int32, Text
from glasswork.core.statements import AnyRow
from glasswork.features.comments.models import Comment
from glasswork.features.matching.access import (
    are_said,
    are_written,
    has_negation,
    none_is_unwanted,
    websearch,
)
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Project, Status
from glasswork.features.tasks.access import LISTED
from glasswork.features.tasks.models import SEARCH_CONFIG, Task, absent_last, rank_of
from glasswork.features.workspaces.access import access as workspace_access

from .access import Asker, archived, filters_of, words_of
from .schemas import RANKED, SearchQuery, TaskQuery

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
        return await self._page(_OF_PROJECT, actor, {"project_id": project_id}, query)

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: TaskQuery, project_ids: Sequence[UUID]
    ) -> Page[AnyRow]:
        place, projects = {"workspace_id": workspace_id}, list(_PROJECTS.of(project_ids))
        statuses = [condition.clause for condition in _PROJECTS_OF_STATUSES.of(project_ids)]
        return await self._page(_OF_WORKSPACE, actor, place, query, projects, statuses)

    async def page_of_found(self, actor: Actor, workspace_id: UUID, query: SearchQuery) -> Page[AnyRow]:
        """Rows of `LISTED` with `rank`, `marked_title`, `marked_text`, `comment_id` and `marked_comment`.

        There are MARKS around words found; the comment is the one that has them best, or none.
        """
        binds = actor.binds | {"workspace_id": workspace_id, "q": query.q, "ranked": RANKED}
        key = _KEY.fullmatch(query.q)
        if key is not None:
            binds |= {"project_key": key[1].upper(), "number": int(key[2])}
        projects = tuple(query.project_id)
        found = _found(is_key=key is not None, has_unwanted=has_negation(query.q), projects=len(projects))
        binds |= {f"project_{n}": project_id for n, project_id in enumerate(projects)}
        return await found.page(self._session, query, binds)

    async def _page(
        self,
        place: "_Place",
        actor: Actor,
        binds: dict[str, Any],
        query: TaskQuery,
        inside: Sequence[Condition] = (),
        statuses: Sequence[ColumnElement[bool]] = (),
    ) -> Page[AnyRow]:
        binds = actor.binds | binds
        filters = list(filters_of(query, actor.user_id))
        words = list(words_of(query, Asker(actor.user_id, query.time_zone, place.home)))
        shown = list(archived(query))
        kept = [*inside, *filters, *(Condition(clause, {}) for clause in shown)]
        # With a filter few tasks may be left, and to look for them status by status could take longer.
        if not filters and not words and query.sort in {"status", "-status"}:
            narrowing = _first_of_each(query.sort, [place.statuses, *statuses], shown)
            return await place.listing.page_anew(self._session, query, binds, kept, (), narrowing)
        if words:
            return await place.listing.page_anew(self._session, query, binds, kept, words)
        return await place.listing.page(self._session, query, binds, kept)


def _inside(workspace_id: Any) -> Sequence[ColumnElement[bool]]:
    is_visible = (
        select(workspace_access.c.role).where(workspace_access.c.workspace_id == workspace_id).exists()
    )
    return is_visible, Task.workspace_id == workspace_id


@dataclass(frozen=True, slots=True)
class _Place:
    """Whose tasks are listed: a project or a workspace, as a parameter of the statement."""

    listing: Listing
    home: Any
    """The id of the workspace, or what selects it."""
    statuses: ColumnElement[bool]
    """Of the place."""


_Q: ColumnElement[str] = bindparam("q", type_=String())
_RANKED: ColumnElement[int] = bindparam("ranked", type_=Integer())
_PROJECT_ID: ColumnElement[UUID] = bindparam("project_id", type_=Uuid())
_WORKSPACE_ID: ColumnElement[UUID] = bindparam("workspace_id", type_=Uuid())
_home = select(Project.workspace_id).where(Project.id == _PROJECT_ID).scalar_subquery()
_OF_PROJECT = _Place(
    Listing(
        LISTED.where(
            select(access.c.role).where(access.c.project_id == _PROJECT_ID).exists(),
            Task.workspace_id == _home,
            Task.project_id == _PROJECT_ID,
        ),
        _SORT_KEYS,
        Task.id,
    ),
    _home,
    Status.project_id == _PROJECT_ID,
)
_OF_WORKSPACE = _Place(
    Listing(LISTED.where(*_inside(_WORKSPACE_ID)), _SORT_KEYS, Task.id),
    _WORKSPACE_ID,
    Status.workspace_id == _WORKSPACE_ID,
)
_PROJECTS = AnyOf("of_project", Task.project_id)
_PROJECTS_OF_STATUSES = AnyOf("of_project", Status.project_id)
"""With the parameters of the same names."""


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


@cache
def _found(*, is_key: bool, has_unwanted: bool, projects: int) -> Listing:
    """`is_key`: what is searched for looks like the key of a task; `projects`: how many may have it."""
    hits = _hits(is_key=is_key, has_unwanted=has_unwanted, projects=projects)
    return Listing(
        LISTED.add_columns(
            hits.c.rank,
            hits.c.comment_id,
            _headline(Task.title, _WHOLE).label("marked_title"),
            _snippet(Task.description).label("marked_text"),
            _snippet(Comment.body).label("marked_comment"),
        )
        .join(hits, hits.c.id == Task.id)
        .outerjoin(Comment, and_(Comment.workspace_id == Task.workspace_id, Comment.id == hits.c.comment_id)),
        {"rank": SortKey.of(hits.c.rank, float)},
        Task.id,
    )


def _hits(*, is_key: bool, has_unwanted: bool, projects: int) -> CTE:
    """`id` and `rank` of the newest matches, and of the task whose key it is; and the best `comment_id`."""
    inside = list(_inside(_WORKSPACE_ID))
    if projects:
        inside.append(Task.project_id.in_([bindparam(f"project_{n}", type_=Uuid()) for n in range(projects)]))
    visible = LISTED.with_only_columns(Task.id).where(*inside)
    no_comment = cast(null(), Uuid()).label("comment_id")
    newest = (
        visible.add_columns(_rank(Task.search), no_comment)
        .where(are_written(_Q))
        .order_by(Task.created_at.desc(), Task.id.desc())
        .limit(_RANKED)
    )
    said = (
        visible.add_columns(_rank(Comment.search), Comment.id.label("comment_id"))
        .join(Comment, and_(Comment.workspace_id == Task.workspace_id, Comment.task_id == Task.id))
        .where(are_said(_Q))
        .order_by(Comment.created_at.desc(), Comment.id.desc())
        .limit(_RANKED)
    )
    if has_unwanted:
        said = said.where(none_is_unwanted(_Q, Task.search))
    found = [newest, said]
    if is_key:
        is_named = and_(
            Project.key == bindparam("project_key", type_=String()),
            Task.number == bindparam("number", type_=Integer()),
        )
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


def _rank(search: SQLColumnExpression[str]) -> ColumnElement[float]:
    return func.ts_rank(search, websearch(_Q), type_=Float()).label("rank")


def _snippet(text: SQLColumnExpression[Any]) -> ColumnElement[str]:
    return _headline(func.left(text, _READ_CHARACTERS), _SNIPPET)


def _headline(text: SQLColumnExpression[str], options: str) -> ColumnElement[str]:
    return func.ts_headline(SEARCH_CONFIG, func.translate(text, "".join(MARKS), ""), websearch(_Q), options)
