"""What a tracker of whatever kind has in common with the others: tasks, comments, and where each stands."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Protocol

from pydantic import Field
from pydantic import ValidationError as SchemaError

from glasswork.core.errors import reason_of
from glasswork.core.schemas import Input, Text, Timestamp
from glasswork.features.comments.schemas import MAX_LENGTH
from glasswork.features.projects.schemas import LabelCreate, LabelName
from glasswork.features.tasks.models import Priority
from glasswork.features.tasks.schemas import MOST_MINUTES, Description, Title

Id = Annotated[Text, Field(min_length=1, max_length=300)]
Person = Annotated[Text, Field(min_length=1, max_length=300)]

Position = Mapping[str, Any]
"""Where in a source to go on, in words of its own that JSON can keep."""

Open = Callable[[int], Awaitable[AsyncGenerator[bytes]]]
"""Gives the bytes of a file from an offset on."""

MOST_NUMBER: Final = 999_999_999
"""Of a task."""
MOST_TITLE: Final = 256
"""Characters."""
INVALID: Final = "INVALID_RECORD"


class TaskRecord(Input):
    id: Id
    number: Annotated[int, Field(ge=1, le=MOST_NUMBER)] | None = None
    title: Title
    description: Description = ""
    status: Text | None = None
    """Key or name of a status of the project; None: the first one, or the first of those that are done."""
    section: LabelName | None = None
    """Of the list that it stands in: the status of that name, and where there is none a label."""
    is_done: bool = False
    priority: Priority = Priority.NONE
    assignee: Person | None = None
    """Username or address; who is no member is kept as a name."""
    assignees: list[Person] = Field([])
    """Who are nobody here, whatever they are called."""
    labels: list[LabelName] = Field([], max_length=50)
    due_at: Timestamp | None = None
    start_at: Timestamp | None = None
    estimate_minutes: Annotated[int, Field(ge=0, le=MOST_MINUTES)] | None = None
    parent: Id | None = None
    """Id of a task that comes before it, or came with an earlier import."""
    url: Text = ""
    author: Person | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    completed_at: Timestamp | None = None


class CommentRecord(Input):
    id: Id
    task: Id
    """Id of a task that comes before it."""
    body: Annotated[Text, Field(max_length=MAX_LENGTH)]
    url: Text = ""
    author: Person | None = None
    created_at: Timestamp | None = None
    """None: when it is imported."""
    updated_at: Timestamp | None = None
    may_be_alone: bool = False
    """Whether nothing is wrong where its task is not there: nobody has asked for it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something was left out, or is not as it was; it repeats nothing of what it is about."""

    place: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """A record of a source, whole or not at all."""

    place: str
    """As people find it: `row 17`, `issues[3]`."""
    next: Position
    """Where to go on behind it."""
    task: TaskRecord | None = None
    comments: Sequence[CommentRecord] = ()
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source is, before its records are read."""

    source: str
    """What its ids are unique in: the `source` of `external`."""
    name: str | None
    """For a project that is made for it."""
    total: int | None
    """How many records it has."""
    description: str = ""
    highest: int = 0
    """Number of a task."""
    labels: Sequence[LabelCreate] = ()
    faults: Sequence[Fault] = ()


class Source(Protocol):
    """Reads as it goes, and holds little: it may be as large as it likes."""

    async def survey(self) -> Survey:
        """Raise an AppError that people understand where it is not what it should be.

        A ServiceUnavailableError: it may be so later; a PostponedError: it says when.
        """

    def items(self, source: str, after: Position | None, /) -> AsyncIterator[Item]:
        """Begin behind a position, or with the first record; raise as `survey` does, which named `source`."""


@dataclass(slots=True)
class Stored:
    """What became of records, in numbers."""

    tasks: int = 0
    tasks_there: int = 0
    comments: int = 0
    comments_there: int = 0
    labels: int = 0
    faults: list[Fault] = field(default_factory=list)


def read(
    place: str, after: Position, build: Callable[[], tuple[TaskRecord | None, Sequence[CommentRecord]]]
) -> Item:
    """Make an item of what `build` reads, or of pydantic's faults with it."""
    try:
        task, comments = build()
    except SchemaError as error:
        return Item(place, after, faults=list(faults_of(place, error)))
    return Item(place, after, task, comments)


def faults_of(place: str, error: SchemaError) -> Iterator[Fault]:
    for fault in error.errors(include_input=False, include_url=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
        yield Fault(place, INVALID, f"{path.lstrip('.') or 'record'}: {reason_of(fault)}")
