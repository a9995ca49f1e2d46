from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity
from glasswork.core.recurrence import Recurrence
from glasswork.core.statements import AnyRow
from glasswork.features.projects.models import Category, Status

SEARCH_CONFIG = "english"
MAX_LEVELS = 10
"""Of tasks that are parts of one another."""


class Priority(StrEnum):
    """In rising order."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


def rank_of(priority: Any) -> ColumnElement[int]:
    """In words of its own, without parameters, so that a statement can be seen to want what an index has."""
    return func.array_position(
        literal_column(f"'{{{','.join(Priority)}}}'::text[]"), priority, type_=Integer()
    )


def absent_last(moment: Any, *, descending: bool) -> ColumnElement[datetime]:
    """Likewise."""
    year = "0002" if descending else "9998"
    return func.coalesce(
        moment, literal_column(f"'{year}-01-01 00:00:00+00'::timestamptz"), type_=DateTime(timezone=True)
    )


def sorted_by(place: str, priority: Any, due_at: Any, start_at: Any) -> Iterator[Index]:
    """An index for each sort of the lists of a place; absent moments are last in either direction."""
    keys: dict[str, Any] = {
        "title": "title",
        "priority": rank_of(priority),
        "due": absent_last(due_at, descending=False),
        "due_down": absent_last(due_at, descending=True),
        "start": absent_last(start_at, descending=False),
        "start_down": absent_last(start_at, descending=True),
        "updated": "updated_at",
    }
    for name, key in keys.items():
        yield Index(f"ix_tasks_{place}_{name}", f"{place}_id", key, "id")


BOARD_COLUMNS = ["workspace_id", "id", "priority", "assignee_id", "due_at", "estimate_minutes"]
"""What a project's board and summary ask of every task, so that the index alone answers them."""


class Task(TenantEntity):
    __tablename__ = "tasks"

    project_id: Mapped[UUID]
    number: Mapped[int]
    title: Mapped[str] = mapped_column(Text(collation="C"))
    description: Mapped[str]
    status_id: Mapped[UUID]
    priority: Mapped[Priority] = mapped_column()
    assignee_id: Mapped[UUID | None]
    due_at: Mapped[datetime | None] = mapped_column()
    start_at: Mapped[datetime | None] = mapped_column()
    estimate_minutes: Mapped[int | None]
    parent_id: Mapped[UUID | None] = mapped_column()
    """In the same project."""
    position: Mapped[str] = mapped_column(Text(collation="C"))
    """Of the manual order within the project, as core/ordering.py makes it."""
    recurrence: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """`rule`, `time_zone`, and as `anchor` the date of the first task, from which the rule counts."""
    created_by: Mapped[UUID]
    completed_at: Mapped[datetime | None] = mapped_column()
    archived_at: Mapped[datetime | None] = mapped_column()
    deleted_at: Mapped[datetime | None] = mapped_column()
    external: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            f"setweight(to_tsvector('{SEARCH_CONFIG}', title), 'A')"
            f" || setweight(to_tsvector('{SEARCH_CONFIG}', description), 'C')",
            persisted=True,
        ),
        deferred=True,
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "project_id", "status_id"],
            ["statuses.workspace_id", "statuses.project_id", "statuses.id"],
        ),
        ForeignKeyConstraint(
            ["workspace_id", "assignee_id"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        ForeignKeyConstraint(
            ["workspace_id", "parent_id"],
            ["tasks.workspace_id", "tasks.id"],
            ondelete="SET NULL (parent_id)",
        ),
        UniqueConstraint("workspace_id", "project_id", "number"),
        UniqueConstraint("workspace_id", "project_id", "position"),
        Index("ix_tasks_parent", "workspace_id", "parent_id", postgresql_where=parent_id.is_not(None)),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "workspace_id", "created_at", "id"),
        Index(None, "status_id", "id"),
        Index(
            "ix_tasks_board",
            "status_id",
            "position",
            postgresql_include=BOARD_COLUMNS,
            postgresql_where=deleted_at.is_(None) & archived_at.is_(None),
        ),
        Index(None, "workspace_id", "number", "id"),
        Index(None, "workspace_id", "position", "id"),
        *sorted_by("project", priority, due_at, start_at),
        *sorted_by("workspace", priority, due_at, start_at),
        Index(None, "workspace_id", "assignee_id"),
        Index(
            "ix_tasks_due_soon",
            "due_at",
            postgresql_where=due_at.is_not(None)
            & completed_at.is_(None)
            & archived_at.is_(None)
            & deleted_at.is_(None),
        ),
        Index("ix_tasks_deleted", "deleted_at", postgresql_where=deleted_at.is_not(None)),
        Index("ix_tasks_search", "search", postgresql_using="gin"),
        Index(
            "uq_tasks_external",
            "workspace_id",
            "project_id",
            external["source"].astext,
            external["id"].astext,
            unique=True,
            postgresql_where=external.is_not(None),
        ),
    )

    def move_to(self, status: AnyRow | Status, now: datetime) -> None:
        """`completed_at` follows the category."""
        is_done = status.category is Category.DONE
        self.status_id = status.id
        self.completed_at = (self.completed_at or now) if is_done else None

    def recur(self, rule: str, time_zone: str) -> None:
        """Raise InvalidRecurrenceError; a rule that it has already goes on as it is."""
        anchor = self.due_at or self.start_at
        if anchor is None:
            raise ValueError("a recurrence begins with a date")
        wanted = {"rule": rule, "time_zone": time_zone}
        if self.recurrence is None or wanted != {name: self.recurrence[name] for name in wanted}:
            Recurrence.of(rule, time_zone, anchor).check()
            self.recurrence = wanted | {"anchor": anchor.isoformat()}

    def pass_on(self, now: datetime) -> "Task | None":
        """Hand the recurrence to a task for its next date, which is returned; None: it has ended."""
        recurrence, self.recurrence = self.recurrence, None
        date = self.due_at or self.start_at
        if recurrence is None or date is None:
            return None
        anchor = datetime.fromisoformat(recurrence["anchor"])
        rule = Recurrence.of(recurrence["rule"], recurrence["time_zone"], anchor)
        next_date = rule.next_after(max(date, now))
        if next_date is None:
            return None
        return Task(
            workspace_id=self.workspace_id,
            project_id=self.project_id,
            title=self.title,
            description=self.description,
            priority=self.priority,
            assignee_id=self.assignee_id,
            due_at=self.due_at and next_date,
            start_at=self.start_at and rule.shift(self.start_at, date, next_date),
            estimate_minutes=self.estimate_minutes,
            parent_id=self.parent_id,
            recurrence=recurrence,
        )


class TaskLabel(Base):
    __tablename__ = "task_labels"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    label_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "label_id"], ["labels.workspace_id", "labels.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "label_id"),
    )


class FormerKey(Base):
    """The number that a task had in a project before it was moved out: it is still found by it."""

    __tablename__ = "former_keys"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[UUID]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "task_id"),
    )


class Watcher(Base):
    __tablename__ = "watchers"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "user_id"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "workspace_id", "user_id"),
    )
