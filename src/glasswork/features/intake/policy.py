from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from glasswork.features.projects.models import Category
from glasswork.features.tasks.models import MAX_LEVELS, Task

from .schemas import MOST_TITLE, CommentRecord, Fault, Item, TaskRecord

UNKNOWN_STATUS = "UNKNOWN_STATUS"
PARENT_NOT_THERE = "PARENT_NOT_THERE"
TASK_NOT_THERE = "TASK_NOT_THERE"

_ALONE = f"parent: it does not come before, or {MAX_LEVELS} levels are not enough; the task stands alone"


class Status(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def category(self) -> Category: ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A record, where it stands in its source, and the key of the status that it will have."""

    place: str
    task: TaskRecord
    status: str


@dataclass(slots=True)
class Batch:
    tasks: list[Placed] = field(default_factory=list)
    comments: list[tuple[str, CommentRecord]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def ids(self) -> set[str]:
        """Of the tasks that it holds or names."""
        held = {each.task.id for each in self.tasks} | {comment.task for _, comment in self.comments}
        return held | self.parents()

    def parents(self) -> set[str]:
        return {each.task.parent for each in self.tasks if each.task.parent}


@dataclass(slots=True)
class Told:
    """What becomes of the comments of a batch."""

    new: list[tuple[Task, CommentRecord]] = field(default_factory=list)
    there: int = 0
    faults: list[Fault] = field(default_factory=list)


def place(items: Iterable[Item], statuses: Sequence[Status]) -> Batch:
    """Give each task its status; what has none here is left out, with its comments."""
    batch = Batch()
    for item in items:
        batch.faults += item.faults
        if item.task is not None:
            status, task = settle(item.task, statuses)
            if status is None:
                keys = ", ".join(each.key for each in statuses)
                batch.faults.append(Fault(item.place, UNKNOWN_STATUS, f"status: must be one of {keys}"))
                continue
            batch.tasks.append(Placed(item.place, task, status))
        batch.comments += [(item.place, comment) for comment in item.comments]
    return batch


def settle(task: TaskRecord, statuses: Sequence[Status]) -> tuple[str | None, TaskRecord]:
    """The key of its status, None where it names one that is not there; its section may become a label."""
    wanted = task.section if task.status is None else task.status
    found = _find(wanted, statuses) if wanted is not None else None
    if task.status is not None and found is None:
        return None, task
    category = Category.DONE if task.is_done else Category.TODO
    default = next(each.key for each in statuses if each.category is category)
    if task.section is None:
        return (default if found is None else found.key), task
    if found is None or (task.is_done and found.category is not Category.DONE):
        return default, task.model_copy(update={"labels": [*task.labels, task.section]})
    return found.key, task


def _find(name: str, statuses: Sequence[Status]) -> Status | None:
    wanted = name.strip().casefold()
    return next((each for each in statuses if wanted in {each.key, each.name.casefold()}), None)


def fit(title: str, description: str) -> dict[str, str]:
    """What is too long for a title is cut there, and stands as a whole ahead of the description."""
    if len(title) <= MOST_TITLE:
        return {"title": title, "description": description}
    return {"title": f"{title[: MOST_TITLE - 1]}…", "description": f"{title}\n\n{description}".rstrip()}


def link(name: str, url: str) -> str:
    """In Markdown."""
    words = name.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    return f"[{words}](<{url.replace('<', '%3C').replace('>', '%3E')}>)"


@dataclass(slots=True)
class Family:
    """Which tasks there are, by their ids in the source, and how deep they lie."""

    tasks: dict[str, Task]
    levels: dict[str, int] = field(default_factory=dict)
    """Of those that a task may be a part of."""

    def add(self, record: TaskRecord, task: Task) -> bool:
        """Return False where it stands alone, and should not."""
        above = self.levels.get(record.parent, MAX_LEVELS) if record.parent else 0
        fits = above < MAX_LEVELS
        task.parent_id = self.tasks[record.parent].id if record.parent and fits else None
        self.tasks[record.id] = task
        self.levels[record.id] = above + 1 if fits else 1
        return fits


def first_of_each(placed: Sequence[Placed], family: Family) -> list[Placed]:
    """Those that are not there yet, by their ids."""
    new: dict[str, Placed] = {}
    for each in placed:
        if each.task.id not in family.tasks:
            new.setdefault(each.task.id, each)
    return list(new.values())


def adopt(new: Sequence[Placed], family: Family, make: Callable[[Placed], Task]) -> Iterator[Fault]:
    """Make them, each a part of the task that it names; yield faults of those that are left alone."""
    for each in new:
        if not family.add(each.task, make(each)):
            yield Fault(each.place, PARENT_NOT_THERE, _ALONE)


def told(batch: Batch, family: Family, known: set[tuple[UUID, str]]) -> Told:
    """`known`: the comments that are there, by their tasks and their ids in the source."""
    became, seen = Told(), set(known)
    for where, record in batch.comments:
        task = family.tasks.get(record.task)
        if task is None and not record.may_be_alone:
            became.faults.append(Fault(where, TASK_NOT_THERE, "task: it is not there"))
        elif task is None:
            continue
        elif (task.id, record.id) not in seen and task.deleted_at is None:
            seen.add((task.id, record.id))
            became.new.append((task, record))
        else:
            became.there += 1
    return became
