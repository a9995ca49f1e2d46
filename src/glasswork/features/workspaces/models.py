from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Entity, Record


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
