from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, Table, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity
from glasswork.core.storage import StoredObject

LIFETIME: Final = timedelta(days=7)


class ArchiveStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


UNDER_WAY: Final = (ArchiveStatus.QUEUED, ArchiveStatus.RUNNING)


class Archive(TenantEntity):
    """A file with everything that there was in the workspace at one moment."""

    __tablename__ = "archives"

    status: Mapped[ArchiveStatus] = mapped_column(server_default=ArchiveStatus.QUEUED)
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes."""
    sha256: Mapped[str | None]
    object_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_objects.id"), unique=True)
    expires_at: Mapped[datetime] = mapped_column(server_default=func.now() + LIFETIME, index=True)
    created_by: Mapped[UUID]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "workspace_id", "created_at", "id"),
    )

    def complete(self, object_id: UUID, size: int, sha256: str) -> None:
        self.change(
            {"status": ArchiveStatus.COMPLETED, "object_id": object_id, "size": size, "sha256": sha256}
        )


ARCHIVED: Final = frozenset(
    {
        *("workspaces", "memberships", "projects", "statuses", "transitions", "labels"),
        *("tasks", "task_labels", "former_keys", "watchers", "relations", "task_links"),
        *("comments", "comment_reactions", "attachments"),
        *("notifications", "notification_preferences", "announcements", "workspace_events"),
    }
)
"""The tables whose rows are in an archive."""

STAYS: Final[Mapping[str, str]] = {
    "announcement_letters": "who has had which letter is for those who send it; an archive has what is sent",
    "api_tokens": "secrets of people, who make others where they go",
    "archives": "an archive that held another would grow with each",
    "calendar_feeds": "secrets of people, who subscribe anew",
    "checked_records": "of imports",
    "deliveries": "of webhooks",
    "delivery_attempts": "of webhooks",
    "event_counters": "follows from the events",
    "hooks": "their secrets are sealed with a key of this installation, and their addresses are its own",
    "idempotency_keys": "answers for those who ask this installation again",
    "import_faults": "of imports",
    "imports": "what came of them is in it; their files are not kept either",
    "invitations": "only their letters know their tokens; whoever moves a workspace invites anew",
    "received_messages": "of hooks",
    "report_charts": "of reports",
    "reports": "drawn anew where the tasks are",
    "webhook_progress": "of webhooks",
    "webhooks": "sealed as those of hooks are; and a receiver would hear of everything from two sides",
}
"""The other tables of workspaces, with the reason."""


@cache
def archived_tables() -> Sequence[Table]:
    """Return them in an order in which each refers to those before it, or to itself."""
    return [table for table in Base.metadata.sorted_tables if table.name in ARCHIVED]


def archived_columns(table: Table) -> Sequence[Column[Any]]:
    """Return all but what the database computes, and where this installation has put bytes."""
    objects = Base.metadata.tables[StoredObject.__tablename__]
    return [
        column for column in table.columns if column.computed is None and not column.references(objects.c.id)
    ]


def workspace_key(table: Table) -> Column[Any]:
    """Return the column that says whose a row is."""
    return table.c.id if table.name == "workspaces" else table.c.workspace_id
