from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base

KEPT_FOR: Final = timedelta(days=1)


class IdempotencyKey(Base):
    """A POST that was carried out, and its answer; stored by the transaction of the work itself."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    workspace_id: Mapped[UUID | None]
    """Out of which the answer tells."""
    status: Mapped[int | None]
    """None while the work is being done, which no other transaction sees."""
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
