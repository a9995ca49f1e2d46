"""What work tracking promises, as a small program without a database."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

_deletions = count(1)


@dataclass(eq=False)
class Task:
    id: str
    project: str
    fields: dict[str, Any]
    parent: "Task | None" = None
    deleted: int | None = None
    """Of which deletion; those that went together come back together."""
    archived: int | None = None


@dataclass
class Model:
    order: dict[str, list[Task]] = field(default_factory=dict)
    """By project: all that there are, deleted ones too, since they come back to where they were."""
    relations: set[tuple[str, str, str]] = field(default_factory=set)
    """Kind, and the ids from which and to which it goes; `relates` from the lower to the higher."""

    def all(self) -> list[Task]:
        return [task for tasks in self.order.values() for task in tasks]

    def standing(self) -> list[Task]:
        return [task for task in self.all() if task.deleted is None]

    def shown(self, project: str) -> list[dict[str, Any]]:
        return [
            task.fields
            | {
                "id": task.id,
                "parent_id": task.parent and task.parent.id,
                "is_archived": task.archived is not None,
            }
            for task in self.order[project]
            if task.deleted is None
        ]

    def add(self, task: Task) -> None:
        self.order[task.project].append(task)

    def family(self, root: Task) -> Iterator[Task]:
        yield root
        for task in self.all():
            if task.parent is root:
                yield from self.family(task)

    def is_above(self, upper: Task, lower: Task | None) -> bool:
        return lower is not None and (lower is upper or self.is_above(upper, lower.parent))

    def depth(self, task: Task | None) -> int:
        return 0 if task is None else 1 + self.depth(task.parent)

    def height(self, task: Task) -> int:
        return 1 + max((self.height(each) for each in self.all() if each.parent is task), default=0)

    def put_behind(self, task: Task, after: Task | None) -> None:
        """Directly behind it; where nothing that is shown stands between, it stays."""
        tasks = self.order[task.project]
        place = tasks.index(after) + 1 if after else 0
        following = next((each for each in tasks[place:] if each.deleted is None), None)
        if following is not task:
            tasks.remove(task)
            tasks.insert(tasks.index(after) + 1 if after else 0, task)

    def move(self, root: Task, project: str) -> None:
        if project == root.project:
            return
        family = set(self.family(root))
        order = [root, *(each for each in self.order[root.project] if each in family and each is not root)]
        for task in order:
            self.order[task.project].remove(task)
            self.order[project].append(task)
            task.project = project
        root.parent = None

    def delete(self, root: Task) -> None:
        deletion = next(_deletions)
        for task in self.family(root):
            if task.deleted is None:
                task.deleted = deletion

    def restore(self, root: Task) -> None:
        if root.deleted is None:
            return
        deletion = root.deleted
        for task in self.family(root):
            if task.deleted == deletion:
                task.deleted = None
        if root.parent is not None and root.parent.deleted is not None:
            root.parent = None

    def archive(self, root: Task) -> None:
        if root.archived is None:
            occasion = next(_deletions)
            for task in self.family(root):
                if task.deleted is None and task.archived is None:
                    task.archived = occasion

    def unarchive(self, root: Task) -> None:
        occasion = root.archived
        for task in self.family(root):
            if occasion is not None and task.deleted is None and task.archived == occasion:
                task.archived = None

    def blocks(self, upper: str, lower: str) -> bool:
        """Whether the one blocks the other, be it by way of others."""
        return upper == lower or any(
            kind == "blocks" and start == upper and self.blocks(end, lower)
            for kind, start, end in self.relations
        )
