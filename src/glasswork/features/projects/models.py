from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import TenantEntity


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
    position: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("workspace_id", "project_id", "key"),
        UniqueConstraint("workspace_id", "project_id", "id"),
    )


class Label(TenantEntity):
    __tablename__ = "labels"

    project_id: Mapped[UUID]
    name: Mapped[str] = mapped_column()
    color: Mapped[str]
    description: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        Index("uq_labels_name", "workspace_id", "project_id", func.lower(name), unique=True),
    )


DEFAULT_STATUSES = (
    ("todo", "To do", Category.TODO),
    ("in_progress", "In progress", Category.IN_PROGRESS),
    ("done", "Done", Category.DONE),
)
