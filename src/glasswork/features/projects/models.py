from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity

MAX_STATUSES = 50
"""Of a project."""


class Category(StrEnum):
    """What a status means, whatever its name."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class Project(TenantEntity):
    __tablename__ = "projects"

    key: Mapped[str]
    name: Mapped[str] = mapped_column()
    description: Mapped[str]
    last_number: Mapped[int] = mapped_column(default=0)
    """Of the task made last; `OPS-42` is number 42 of OPS."""
    source: Mapped[str | None]
    """That an import has made it for; null where people have made it."""
    created_by: Mapped[UUID]
    deleted_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index("uq_projects_key", "workspace_id", "key", unique=True, postgresql_where=deleted_at.is_(None)),
    )


class Status(TenantEntity):
    __tablename__ = "statuses"

    project_id: Mapped[UUID]
    key: Mapped[str]
    name: Mapped[str] = mapped_column()
    category: Mapped[Category]
    color: Mapped[str]
    position: Mapped[int]
    is_restricted: Mapped[bool] = mapped_column(default=False)
    """Whether a task leaves it only by the transitions that there are."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("workspace_id", "project_id", "key"),
        UniqueConstraint("workspace_id", "project_id", "id"),
    )


class Transition(Base):
    """From a restricted status to one that may follow it."""

    __tablename__ = "transitions"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    from_id: Mapped[UUID] = mapped_column(primary_key=True)
    to_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = tuple(
        ForeignKeyConstraint(
            ["workspace_id", "project_id", end],
            ["statuses.workspace_id", "statuses.project_id", "statuses.id"],
            ondelete="CASCADE",
        )
        for end in ("from_id", "to_id")
    )


class Label(TenantEntity):
    """Of a project, or of the whole workspace."""

    __tablename__ = "labels"

    project_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column()
    color: Mapped[str]
    description: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        Index(
            "uq_labels_name",
            "workspace_id",
            "project_id",
            func.lower(name),
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )


DEFAULT_STATUSES = (
    ("todo", "To do", Category.TODO, "#8c8c8c"),
    ("in_progress", "In progress", Category.IN_PROGRESS, "#0969da"),
    ("done", "Done", Category.DONE, "#1a7f37"),
)
