from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from glasswork.core.models import Base

TOLD_FOR = timedelta(days=90)
"""How long a notification is kept."""


class Kind(StrEnum):
    """Why somebody is told of something; of several reasons the first one here."""

    MENTIONED = "mentioned"
    ASSIGNED = "assigned"
    REPLIED = "replied"
    DUE_SOON = "due_soon"
    INVITED = "invited"
    WATCHED = "watched"


class Mailing(StrEnum):
    NONE = "none"
    AT_ONCE = "at_once"
    DAILY = "daily"


class Notification(Base):
    """One for each event that somebody is told of, whatever the reasons."""

    __tablename__ = "notifications"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    kind: Mapped[Kind]
    event_id: Mapped[UUID]
    """Of the log; for a date that comes near one made of the task's id and the date."""
    task_id: Mapped[UUID | None]
    comment_id: Mapped[UUID | None]
    actor_id: Mapped[UUID | None]
    is_shown: Mapped[bool]
    """In the app; else it is there for a letter alone."""
    mailing: Mapped[Mailing] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    read_at: Mapped[datetime | None] = mapped_column()
    mailed_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("user_id", "event_id"),
        Index(None, "user_id", "created_at", "id"),
        Index("ix_notifications_unread", "user_id", postgresql_where=read_at.is_(None)),
        Index(
            "ix_notifications_daily",
            "user_id",
            "created_at",
            postgresql_where=(mailing == Mailing.DAILY.value) & mailed_at.is_(None),
        ),
        Index(None, "workspace_id", "task_id"),
    )


class Preference(Base):
    """How somebody wants to be told of a kind of thing, everywhere or in one project."""

    __tablename__ = "notification_preferences"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[Kind]
    workspace_id: Mapped[UUID | None]
    project_id: Mapped[UUID | None]
    in_app: Mapped[bool]
    mail: Mapped[Mailing]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("user_id", "kind", "project_id", postgresql_nulls_not_distinct=True),
        Index(None, "workspace_id", "project_id"),
    )


class Clock(Base):
    """Whose mornings their daily letters come on."""

    __tablename__ = "notification_clocks"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    time_zone: Mapped[str]
