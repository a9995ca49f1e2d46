"""What the words of a filter ask for, as conditions of `LISTED`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import eq, ge, gt, le, lt
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    SQLColumnExpression,
    and_,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased

from glasswork.core.filtering import AnyOf
from glasswork.core.filtering import Condition as Kept
from glasswork.core.local_time import Amount, Moments, Period
from glasswork.core.query_language import Term, Value
from glasswork.core.query_values import NONE
from glasswork.features.accounts.models import User
from glasswork.features.matching.access import Condition, has_words
from glasswork.features.projects.models import Category, Label, Project, Status
from glasswork.features.relations.models import Kind, Relation
from glasswork.features.tasks.models import Task, TaskLabel, Watcher, absent_last

from .schemas import Archived, Due, TaskQuery

LABELS = select(TaskLabel.label_id).where(
    TaskLabel.workspace_id == Task.workspace_id, TaskLabel.task_id == Task.id
)
WATCHERS = select(Watcher.user_id).where(
    Watcher.workspace_id == Task.workspace_id, Watcher.task_id == Task.id
)
IS_OPEN = Status.category != Category.DONE
IS_OVERDUE = and_(Task.due_at < func.now(), IS_OPEN)

_BLOCKER, _BLOCKERS_STATUS = aliased(Task, name="blocker"), aliased(Status, name="blockers_status")
_PARENT, _PARENTS_PROJECT = aliased(Task, name="parent"), aliased(Project, name="parents_project")
_BLOCKERS = (
    select(Relation.id)
    .join(_BLOCKER, and_(_BLOCKER.workspace_id == Relation.workspace_id, _BLOCKER.id == Relation.from_id))
    .join(
        _BLOCKERS_STATUS,
        and_(
            _BLOCKERS_STATUS.workspace_id == _BLOCKER.workspace_id, _BLOCKERS_STATUS.id == _BLOCKER.status_id
        ),
    )
    .where(
        Relation.workspace_id == Task.workspace_id,
        Relation.to_id == Task.id,
        Relation.kind == Kind.BLOCKS,
        _BLOCKER.deleted_at.is_(None),
        _BLOCKERS_STATUS.category != Category.DONE,
    )
)
_IS: Final[Mapping[str, Condition]] = {
    "archived": Task.archived_at.is_not(None),
    "overdue": IS_OVERDUE,
    "subtask": Task.parent_id.is_not(None),
    "blocked": _BLOCKERS.exists(),
}
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
_TURNED: Final = {"": "", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_PEOPLE: Final[Mapping[str, SQLColumnExpression[Any]]] = {
    "assignee": Task.assignee_id,
    "creator": Task.created_by,
}
MOMENTS: Final[Mapping[str, SQLColumnExpression[Any]]] = {
    "due": Task.due_at,
    "start": Task.start_at,
    "created": Task.created_at,
    "updated": Task.updated_at,
    "completed": Task.completed_at,
    "archived": Task.archived_at,
}
_INDEXED: Final[Mapping[str, SQLColumnExpression[Any]]] = {
    name: absent_last(MOMENTS[name], descending=False) for name in ("due", "start")
}
"""As the indexes have them, whose last value no moment reaches."""

_PAST: Final = {"created", "updated", "completed"}


@dataclass(frozen=True, slots=True)
class Asker:
    user_id: UUID
    zone: str
    home: Any
    """The id of the workspace, or what selects it."""


_FILTERS: Final[Mapping[str, AnyOf]] = {
    "status": AnyOf("status", Status.key, has_words=False),
    "category": AnyOf("category", Status.category, has_words=False),
    "priority": AnyOf("priority", Task.priority, has_words=False),
    "assignee_id": AnyOf("assignee", Task.assignee_id),
    "created_by": AnyOf("creator", Task.created_by),
    "parent_id": AnyOf("parent", Task.parent_id),
    "label_id": AnyOf(
        "label", TaskLabel.label_id, lambda is_one: LABELS.where(is_one).exists(), ~LABELS.exists()
    ),
    "watcher_id": AnyOf(
        "watcher", Watcher.user_id, lambda is_one: WATCHERS.where(is_one).exists(), ~WATCHERS.exists()
    ),
}
_BOUNDS: Final[Mapping[str, ColumnElement[bool]]] = {
    "estimate_min": Task.estimate_minutes >= bindparam("estimate_min"),
    "estimate_max": Task.estimate_minutes <= bindparam("estimate_max"),
}


def filters_of(query: TaskQuery, me: UUID) -> Iterator[Kept]:
    """What is asked for by values alone."""
    for name, filter_ in _FILTERS.items():
        if values := getattr(query, name):
            yield from filter_.of(values, me)
    for name, clause in _BOUNDS.items():
        if (bound := getattr(query, name)) is not None:
            yield Kept(clause, {name: bound})
    for name in MOMENTS:
        binds = {bound: getattr(query, bound) for bound in (f"{name}_after", f"{name}_before")}
        if given := {bound: moment for bound, moment in binds.items() if moment is not None}:
            yield Kept(_between(name, tuple(given)), given)


def words_of(query: TaskQuery, asker: Asker) -> Iterator[Condition]:
    """What is asked for in words, of which each is a clause of its own."""
    if query.q is not None:
        yield has_words(query.q, asker.home)
    yield from conditions(query.terms(), asker)
    if query.due:
        yield or_(*(_due(days, query.time_zone) for days in query.due))


def archived(query: TaskQuery) -> Iterator[Condition]:
    if query.archived is Archived.TRUE:
        yield _IS_ARCHIVED
    elif query.archived is Archived.FALSE and not _asks_for_archived(query):
        yield _IS_NOT_ARCHIVED


_IS_ARCHIVED, _IS_NOT_ARCHIVED = Task.archived_at.is_not(None), Task.archived_at.is_(None)


def _asks_for_archived(query: TaskQuery) -> bool:
    """In words, while the parameter is silent."""
    said = any(
        term.field == "is"
        and not term.is_negated
        and any(value.keyword == "archived" for value in term.values)
        for term in query.terms()
    )
    return said and "archived" not in query.model_fields_set


def _due(days: Due, zone: str) -> Condition:
    match days:
        case Due.NONE:
            return Task.due_at.is_(None)
        case Due.OVERDUE:
            return IS_OVERDUE
        case _:
            moments = Moments.of(Period(days.value), zone)
            return is_between("due", moments.first, moments.end)


@cache
def _between(name: str, bounds: tuple[str, ...]) -> Condition:
    after, before = (
        bindparam(bound, type_=DateTime(timezone=True)) if bound in bounds else None
        for bound in (f"{name}_after", f"{name}_before")
    )
    return is_between(name, after, before)


def conditions(terms: Sequence[Term], asker: Asker) -> Iterator[Condition]:
    words = [term for term in terms if term.field is None]
    if words:
        yield has_words(" ".join(map(_quoted, words)), asker.home)
    for term in terms:
        if term.field is not None:
            any_holds = or_(*(_holds(term.field, value, asker) for value in term.values))
            # Not `NOT`: what is unknown, such as the name of nobody, is not the case either.
            yield any_holds.is_not(true()) if term.is_negated else any_holds


def is_between(name: str, first: Any | None, end: Any | None) -> Condition:
    """From the one on, up to the other; where it is absent it is nowhere."""
    moment = _INDEXED.get(name, MOMENTS[name])
    if end is None:
        return and_(moment >= first, MOMENTS[name].is_not(None))
    return moment < end if first is None else and_(moment >= first, moment < end)


def _quoted(term: Term) -> str:
    words = term.values[0].text.replace('"', " ")
    return f'{"-" if term.is_negated else ""}"{words}"'


def _holds(field: str, value: Value, asker: Asker) -> Condition:
    if field in MOMENTS:
        return _moment(field, value, asker.zone)
    if field in _PEOPLE:
        return _person(_PEOPLE[field], value, asker)
    return _CONDITIONS[field](value, asker)


def _moment(field: str, value: Value, zone: str) -> Condition:
    days, operator = value.meaning, value.operator
    if days is None:
        return MOMENTS[field].is_(None)
    if field in _PAST and isinstance(days, Amount):
        days, operator = Amount(-days.count, days.unit), _TURNED[operator]
    moments = Moments.of(days, zone)
    match operator:
        case "<":
            return is_between(field, None, moments.first)
        case "<=":
            return is_between(field, None, moments.end)
        case ">":
            return is_between(field, moments.end, None)
        case ">=":
            return is_between(field, moments.first, None)
        case _:
            return is_between(field, moments.first, moments.end)


def _person(column: SQLColumnExpression[Any], value: Value, asker: Asker) -> Condition:
    if value.keyword == NONE:
        return column.is_(None)
    return column.in_(_ids(value, asker))


def _ids(value: Value, asker: Asker) -> Any:
    if value.keyword == "me":
        return [asker.user_id]
    return select(User.id).where(func.lower(User.username) == func.lower(value.text))


def _watcher(value: Value, asker: Asker) -> Condition:
    if value.keyword == NONE:
        return not_(WATCHERS.exists())
    return WATCHERS.where(Watcher.user_id.in_(_ids(value, asker))).exists()


def _status(value: Value, _: Asker) -> Condition:
    match value.keyword:
        case "open":
            return IS_OPEN
        case "closed":
            return Status.category == Category.DONE
        case _:
            return Status.key == value.text


def _label(value: Value, _: Asker) -> Condition:
    if value.keyword == NONE:
        return not_(LABELS.exists())
    named = and_(Label.workspace_id == TaskLabel.workspace_id, Label.id == TaskLabel.label_id)
    return LABELS.join(Label, named).where(func.lower(Label.name) == func.lower(value.text)).exists()


def _parent(value: Value, _: Asker) -> Condition:
    if value.meaning is None:
        return Task.parent_id.is_(None)
    key, number = value.meaning
    parents = (
        select(_PARENT.id)
        .join(_PARENTS_PROJECT, _PARENTS_PROJECT.id == _PARENT.project_id)
        .where(
            _PARENT.workspace_id == Task.workspace_id,
            _PARENT.id == Task.parent_id,
            _PARENT.number == number,
            _PARENT.deleted_at.is_(None),
            _PARENTS_PROJECT.key == key,
        )
    )
    return parents.exists()


def _estimate(value: Value, _: Asker) -> Condition:
    if value.meaning is None:
        return Task.estimate_minutes.is_(None)
    condition: Condition = _COMPARISONS[value.operator](Task.estimate_minutes, value.meaning)
    return condition


_CONDITIONS: Final[Mapping[str, Callable[[Value, Asker], Condition]]] = {
    "status": _status,
    "priority": lambda value, _: Task.priority.in_(value.meaning) if value.meaning else false(),
    "watcher": _watcher,
    "label": _label,
    "parent": _parent,
    "project": lambda value, _: Project.key == value.text.upper(),
    "estimate": _estimate,
    "is": lambda value, _: _IS[value.text.lower()],
}
