from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, Entity

REFRESH_LIFETIME: Final = timedelta(days=7)
REFRESH_GRACE: Final = timedelta(seconds=10)
RECENT_LOGIN: Final = timedelta(minutes=10)
"""So long ago somebody may have proved who they are, for what cannot be undone."""


class SystemRole(StrEnum):
    USER = "user"
    ADMIN = "admin"


class User(Entity):
    __tablename__ = "users"

    email: Mapped[str] = mapped_column()
    username: Mapped[str] = mapped_column()
    name: Mapped[str] = mapped_column()
    password_hash: Mapped[str | None]
    """None: whoever logs in with identities of others, and has set no password."""
    role: Mapped[SystemRole] = mapped_column(default=SystemRole.USER)
    is_active: Mapped[bool] = mapped_column(default=True)
    email_verified_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """From then on it names nobody; the row stays for what names it."""

    __table_args__ = (
        Index("uq_users_email", func.lower(email), unique=True),
        Index("uq_users_username", func.lower(username), unique=True),
    )


class ApiToken(Entity):
    """Lets a script act for its owner; only its hash is kept."""

    __tablename__ = "api_tokens"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    token_hash: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    workspace_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    """The only one in which it acts, where it is kept to one."""
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class UserSession(Base):
    """A login and the family of its refresh tokens; `sequence` is that of the one token now valid."""

    __tablename__ = "user_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    sequence: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    rotated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    authenticated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When its owner last proved who they are; new tokens prove nothing."""
    revoked_at: Mapped[datetime | None]
    user_agent: Mapped[str | None]
