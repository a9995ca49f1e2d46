from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity

PING = "webhook.ping"


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Tried to its end, or its webhook was switched off."""


class Delivery(TenantEntity):
    """A change that is to reach a webhook; its id is the message's, over all attempts."""

    __tablename__ = "deliveries"

    webhook_id: Mapped[UUID]
    event_id: Mapped[UUID | None]
    """Of the log, which holds what is sent; None: it is a ping."""
    seq: Mapped[int | None] = mapped_column(BigInteger)
    type: Mapped[str]
    request_id: Mapped[str]
    """Of whoever caused it."""
    traceparent: Mapped[str | None]
    status: Mapped[DeliveryStatus] = mapped_column(server_default=DeliveryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(server_default="0")
    tries: Mapped[int] = mapped_column(server_default="0")
    """Attempts since it was last asked for."""
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_attempt_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    answered_at: Mapped[datetime | None]
    """When the first attempt had an end."""
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "webhook_id"], ["webhooks.workspace_id", "webhooks.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("workspace_id", "webhook_id", "event_id"),
        Index(None, "workspace_id", "webhook_id", "created_at", "id"),
        Index(
            "ix_deliveries_due",
            "workspace_id",
            "webhook_id",
            "next_attempt_at",
            postgresql_where=status == DeliveryStatus.PENDING.value,
        ),
        Index(
            "ix_deliveries_order",
            "workspace_id",
            "webhook_id",
            "seq",
            postgresql_where=status == DeliveryStatus.PENDING.value,
        ),
        Index(None, "created_at"),
    )


class DeliveryAttempt(Base):
    """Written before it is made, so that one whose worker died is told of, too."""

    __tablename__ = "delivery_attempts"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    url: Mapped[str]
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[int | None]
    answer_headers: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    answer: Mapped[str | None]
    """The beginning of the answer's body."""
    error: Mapped[str | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "delivery_id"],
            ["deliveries.workspace_id", "deliveries.id"],
            ondelete="CASCADE",
        ),
    )
