from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Entity


class FeedFilter(StrEnum):
    MINE = "mine"
    ALL = "all"


class CalendarFeed(Entity):
    """Shows tasks to whoever has its link, as its maker may see them; of the link only a hash is kept."""

    __tablename__ = "calendar_feeds"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[UUID | None]
    """The only one of which it shows tasks, where it is kept to one."""
    name: Mapped[str]
    filter: Mapped[FeedFilter]
    time_zone: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        Index(None, "user_id", "workspace_id", "created_at", "id"),
        Index(None, "workspace_id", "project_id"),
    )
