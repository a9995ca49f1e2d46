from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Computed, ForeignKey, ForeignKeyConstraint, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity
from glasswork.features.tasks.models import SEARCH_CONFIG


class Reaction(StrEnum):
    THUMBS_UP = "thumbs_up"
    THUMBS_DOWN = "thumbs_down"
    LAUGH = "laugh"
    HOORAY = "hooray"
    CONFUSED = "confused"
    HEART = "heart"
    ROCKET = "rocket"
    EYES = "eyes"


class Comment(TenantEntity):
    """What somebody says about a task; its earlier bodies are told by its events."""

    __tablename__ = "comments"

    task_id: Mapped[UUID]
    reply_to_id: Mapped[UUID | None] = mapped_column()
    """A comment that is no reply itself."""
    author_id: Mapped[UUID]
    body: Mapped[str | None]
    """None: it was deleted for good, but there are replies to it."""
    body_html: Mapped[str] = mapped_column(deferred=True)
    """Made when it is written: a page of them costs no more than its length."""
    mentions: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    external: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(f"to_tsvector('{SEARCH_CONFIG}', coalesce(body, ''))", persisted=True),
        deferred=True,
    )
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "reply_to_id"], ["comments.workspace_id", "comments.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "author_id"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "task_id", "created_at", "id"),
        Index(
            "ix_comments_replies",
            "reply_to_id",
            "created_at",
            "id",
            postgresql_where=reply_to_id.is_not(None),
        ),
        Index(None, "author_id", "id"),
        Index("ix_comments_search", "search", postgresql_using="gin"),
        Index(None, "workspace_id", "created_at", "id"),
        Index(
            "uq_comments_external",
            "workspace_id",
            "task_id",
            external["source"].astext,
            external["id"].astext,
            unique=True,
            postgresql_where=external.is_not(None),
        ),
    )


class CommentReaction(Base):
    __tablename__ = "comment_reactions"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    comment_id: Mapped[UUID] = mapped_column(primary_key=True)
    reaction: Mapped[Reaction] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "comment_id"], ["comments.workspace_id", "comments.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "user_id"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "user_id", "comment_id"),
    )
