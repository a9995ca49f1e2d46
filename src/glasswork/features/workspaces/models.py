from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Entity, Record, TenantEntity

INVITATION_LIFETIME: Final = timedelta(days=7)


class Role(StrEnum):
    """In rising order; who has a role may do all that the lower ones may."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"

    def reaches(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Workspace(Entity):
    """The tenant."""

    __tablename__ = "workspaces"

    name: Mapped[str] = mapped_column()
    slug: Mapped[str]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    deleted_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (
        Index("uq_workspaces_slug", "slug", unique=True, postgresql_where=deleted_at.is_(None)),
    )


class Membership(Record):
    """Kept when the member goes, because tasks go on naming them."""

    __tablename__ = "memberships"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[Role]
    removed_at: Mapped[datetime | None]


class Invitation(TenantEntity):
    __tablename__ = "invitations"

    email: Mapped[str] = mapped_column()
    role: Mapped[Role]
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[UUID]
    expires_at: Mapped[datetime] = mapped_column(server_default=func.now() + INVITATION_LIFETIME)
    accepted_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "invited_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index("ix_invitations_pending", "workspace_id", func.lower(email)),
        Index("ix_invitations_email", func.lower(email)),
    )
