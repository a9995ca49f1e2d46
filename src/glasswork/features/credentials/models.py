from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base


class Purpose(StrEnum):
    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 (the name of a purpose)
    CHANGE_EMAIL = "change_email"


LIFETIMES: Final = {
    Purpose.VERIFY_EMAIL: timedelta(days=3),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
}


class OneTimeToken(Base):
    """Sent to an address to prove that it is reached; only its hash is kept."""

    __tablename__ = "one_time_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[Purpose]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    address: Mapped[str | None]
    """The new one, where one is to be changed."""
