from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKeyConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity

ALL_OF_KIND = ".*"
"""Behind a kind, in a list of types."""


class DisabledReason(StrEnum):
    ASKED = "asked"
    FAILING = "failing"
    """A delivery was tried to its end, and no other one got through meanwhile."""
    GONE = "gone"
    """The receiver answered 410."""


class Webhook(TenantEntity):
    """Where the changes of a workspace, or of one project, are sent to."""

    __tablename__ = "webhooks"

    project_id: Mapped[UUID | None]
    url: Mapped[str]
    description: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Types, `task.*` for all of a kind; empty for every one."""
    is_ordered: Mapped[bool]
    is_enabled: Mapped[bool]
    disabled_reason: Mapped[DisabledReason | None]
    disabled_at: Mapped[datetime | None]
    secret: Mapped[str]
    """Sealed, as the one before is."""
    secret_changed_at: Mapped[datetime | None]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    created_by: Mapped[UUID]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "workspace_id", "project_id"),
    )


class WebhookProgress(Base):
    """How far the deliveries of a webhook have come; whoever works on them holds the lease."""

    __tablename__ = "webhook_progress"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(primary_key=True)
    followed_seq: Mapped[int] = mapped_column(BigInteger)
    """The last change that was looked at."""
    seen_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The last one that was ever looked at."""
    again_until_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Up to here what was delivered is delivered once more when it is looked at."""
    next_at: Mapped[datetime | None]
    """When the next attempt is due."""
    lease_id: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    """In a row."""
    delivered_at: Mapped[datetime | None]
    """When the receiver last took anything."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "webhook_id"], ["webhooks.workspace_id", "webhooks.id"], ondelete="CASCADE"
        ),
    )
