from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import TenantEntity

GRACE: Final = timedelta(hours=24)
"""How long a secret is taken beside the one that has replaced it."""


class HookKind(StrEnum):
    GITHUB = "github"
    JSON = "json"


class Hook(TenantEntity):
    """An address to which another program sends what happened there; it acts for who has made it."""

    __tablename__ = "hooks"

    project_id: Mapped[UUID | None] = mapped_column()
    """The only one in which it acts, where it is kept to one."""
    kind: Mapped[HookKind] = mapped_column()
    name: Mapped[str]
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Where the fields of a task stand in a message."""
    secret: Mapped[str]
    """Sealed, and so is the one before."""
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
        CheckConstraint(
            "kind <> 'json' OR (project_id IS NOT NULL AND mapping IS NOT NULL)", "json_says_where"
        ),
    )
