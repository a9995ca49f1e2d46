"""Which tasks and which comments have the words that are searched for."""

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    SQLColumnExpression,
    and_,
    any_,
    bindparam,
    func,
    join,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased

from glasswork.features.comments.models import Comment
from glasswork.features.tasks.models import SEARCH_CONFIG, Task

Condition = ColumnElement[bool]

COMMENTED: Final = 1_000
"""So many comments that have the words tell of their tasks, the newest."""

_COMMENTED = aliased(Task, name="commented")

# A plan for any words would take a common one for rare, and read every task that has it. So that PostgreSQL
# keeps to plans for the words given, one without this parameter's value seems dear; nothing is ever counted.
_IS_PLANNED_ANEW = (
    select(func.count())
    .select_from(join(aliased(Task), aliased(Task), true()))
    .where(bindparam("false", value=False, type_=Boolean()))
    .scalar_subquery()
    == 0
)


def websearch(words: str | ColumnElement[str]) -> ColumnElement[str]:
    return func.websearch_to_tsquery(SEARCH_CONFIG, words)


def has_words(words: str, home: Any) -> Condition:
    """In the task itself or in one of its comments."""
    said = select(Comment.task_id).where(Comment.workspace_id == home, are_said(words))
    if has_negation(words):
        is_its = and_(_COMMENTED.workspace_id == Comment.workspace_id, _COMMENTED.id == Comment.task_id)
        said = said.join(_COMMENTED, is_its).where(none_is_unwanted(words, _COMMENTED.search))
    newest = said.order_by(Comment.created_at.desc(), Comment.id.desc()).limit(COMMENTED)
    # What is in an array is looked up in the index; for the rows of a list all tasks would be read.
    is_said = Task.id == any_(func.array(newest.scalar_subquery()))
    return and_(or_(_is_written(words), is_said), _IS_PLANNED_ANEW)


def are_written(words: str | ColumnElement[str]) -> Condition:
    """In a task."""
    return and_(_is_written(words), _IS_PLANNED_ANEW)


def _is_written(words: str | ColumnElement[str]) -> Condition:
    return Task.search.op("@@")(websearch(words))


def are_said(words: str | ColumnElement[str]) -> Condition:
    """In a comment."""
    return and_(Comment.search.op("@@")(websearch(words)), Comment.deleted_at.is_(None), _IS_PLANNED_ANEW)


def has_negation(words: str) -> bool:
    """Whether there may be a word that must not be there."""
    return "-" in words


def none_is_unwanted(words: str | ColumnElement[str], task: SQLColumnExpression[Any]) -> Condition:
    """In a comment that has the words, or in its task, whose own words are given.

    Both are one text: it has what is asked for, since the comment has it; the unwanted must be in neither.
    Another comment that has an unwanted word is no reason: of a common word all comments would be read.
    """
    # Turned round twice: PostgreSQL takes a match of such a text for a rare one, and would read all tasks.
    text = Comment.search.op("||")(task)
    return not_(text.bool_op("@@")(func.tsquery_not(websearch(words))))
