from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.query_language import FilterSyntaxError, Reader, Term, parse
from glasswork.core.query_values import choice, days, key, minutes, name, rank
from glasswork.core.schemas import (
    CommentId,
    LabelId,
    Output,
    ProjectId,
    TaskId,
    Text,
    Timestamp,
    TimeZone,
    UserId,
    Who,
)
from glasswork.features.projects.models import Category
from glasswork.features.tasks.models import Priority
from glasswork.features.tasks.schemas import TaskRead
from glasswork.features.workflow.schemas import StatusKey

RANKED: Final = 2_000
"""So many matches are ranked, the newest: a word of every task takes no longer where there are more tasks."""
WORDS: Final = (
    'Words of the title and the description, or of a comment: `port "exact phrase" -without or`. A comment'
    " finds its task where title and description, too, are without the unwanted ones; what other comments say"
    " is no hindrance."
)
SORT_KEYS = (
    "number",
    "title",
    "status",
    "priority",
    "due_at",
    "start_at",
    "position",
    "created_at",
    "updated_at",
)
FIELDS: Final[Mapping[str, Reader]] = {
    "status": name,
    "priority": rank([priority.value for priority in Priority]),
    "assignee": name,
    "creator": name,
    "watcher": name,
    "label": name,
    "parent": key,
    "estimate": minutes,
    "due": days,
    "start": days,
    "created": days,
    "updated": days,
    "completed": days,
    "is": choice("archived", "overdue", "subtask", "blocked"),
}
WORKSPACE_FIELDS: Final[Mapping[str, Reader]] = {**FIELDS, "project": name}
FILTER = """A filter in words, such as `status:open due:<7d label:bug,ui -assignee:me "port number" word`.

All terms must hold, `-` turns one round, a comma means any of; in quotes nothing is a keyword. Fields:

- `status`: a key, or `open`, `closed` by its category
- `priority`: `none` to `urgent`, with `<`, `<=`, `>`, `>=`
- `assignee`, `creator`, `watcher`: a username, `me` or `none`
- `label`: a name or `none`; `project`: a key, in the list of a workspace; `parent`: a key or `none`
- `due`, `start`, `created`, `updated`, `completed`, with `<`, `<=`, `>`, `>=`: a day such as `2026-03-01`,
  `yesterday`, `today`, `tomorrow`, `last_week`, `this_week`, `next_week`, an amount such as `7d`, `2w`, `3m`,
  `1y`, or `none`. Days are those of `time_zone`. Amounts are from today: ahead for `due`, `start` (`due:<7d`
  is before the day in a week), back for the others (`created:<7d` is after the day a week ago).
- `estimate`: `30m`, `2h`, `1h30m` or `none`, with `<`, `<=`, `>`, `>=`
- `is`: `archived` (which also shows them), `overdue`, `subtask`, `blocked`

A name that nothing has matches nothing. Other words must stand in title or description, or in one comment.
An unwanted word (`-word`) must stand neither in these nor in that comment."""


class Archived(StrEnum):
    FALSE = "false"
    TRUE = "true"
    ALL = "all"


class Due(StrEnum):
    TODAY = "today"
    TOMORROW = "tomorrow"
    OVERDUE = "overdue"
    THIS_WEEK = "this_week"
    NEXT_WEEK = "next_week"
    NONE = "none"


def _check(fields: Mapping[str, Reader]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text, fields)
        except FilterSyntaxError as error:
            raise PydanticCustomError("filter_syntax", "{message}", {"message": str(error)}) from error
        return text

    return AfterValidator(check)


class TaskQuery(PageQuery):
    """Of several values of one filter any may hold; different filters must all hold."""

    q: Annotated[Text, Field(max_length=500)] | None = Field(None, description=WORDS)
    filter: Annotated[Text, Field(max_length=500), _check(FIELDS)] | None = Field(None, description=FILTER)
    time_zone: TimeZone = "UTC"
    status: list[StatusKey] = Field([], max_length=50)
    category: list[Category] = Field([], max_length=50, description="What the status means.")
    priority: list[Priority] = Field([], max_length=50)
    assignee_id: list[UserId | Who] = Field([], max_length=50)
    created_by: list[UserId | Literal["me"]] = Field([], max_length=50)
    watcher_id: list[UserId | Who] = Field([], max_length=50)
    label_id: list[LabelId | Literal["null"]] = Field([], max_length=50)
    parent_id: list[TaskId | Literal["null"]] = Field([], max_length=50)
    archived: Archived = Field(Archived.FALSE, description="Whether to show them too, or only.")
    due: list[Due] = Field(
        [],
        max_length=50,
        description="Days of `time_zone`, weeks from Monday; overdue is what is not done in time.",
    )
    estimate_min: int | None = Field(None, ge=0, le=1_000_000, description="In minutes, inclusive.")
    estimate_max: int | None = Field(None, ge=0, le=1_000_000, description="In minutes, inclusive.")
    due_after: Timestamp | None = Field(None, description="From this moment on.")
    due_before: Timestamp | None = Field(None, description="Before this moment.")
    start_after: Timestamp | None = None
    start_before: Timestamp | None = None
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None
    updated_after: Timestamp | None = None
    updated_before: Timestamp | None = None
    completed_after: Timestamp | None = None
    completed_before: Timestamp | None = None
    archived_after: Timestamp | None = None
    archived_before: Timestamp | None = None
    sort: str = sort_by(*SORT_KEYS, default="-created_at")

    def terms(self) -> list[Term]:
        return parse(self.filter or "", WORKSPACE_FIELDS)


class WorkspaceTaskQuery(TaskQuery):
    filter: Annotated[Text, Field(max_length=500), _check(WORKSPACE_FIELDS)] | None = Field(
        None, description=FILTER
    )
    project_id: list[ProjectId] = Field([], max_length=50)


class SearchQuery(PageQuery):
    q: Annotated[Text, Field(min_length=1, max_length=500)] = Field(
        description=f"{WORDS} A task's key alone, such as `OPS-42`, finds that task first."
    )
    project_id: list[ProjectId] = Field([], max_length=50)
    sort: str = sort_by("rank", default="-rank")


class FoundComment(Output):
    id: CommentId
    snippet: str = Field(examples=["Is the <mark>port</mark> open?"])


class FoundTask(Output):
    """`title` and snippets are HTML: the words found are in `<mark>`, and everything else is escaped."""

    task: TaskRead
    rank: float = Field(description="Among the answers to one query; words of the title weigh more.")
    title: str = Field(examples=["Open <mark>port</mark>"])
    snippet: str = Field(description="Of the description.", examples=["The <mark>port</mark> is &lt;1024"])
    comment: FoundComment | None = Field(description="The comment that has the words best.")
