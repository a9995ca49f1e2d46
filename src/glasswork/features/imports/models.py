from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, false
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity

MOST_FAULTS: Final = 1_000
"""That are kept of an import; all are counted."""


class ImportFormat(StrEnum):
    CSV = "csv"
    GITHUB_ARCHIVE = "github_archive"
    TODOIST = "todoist"
    TRELLO = "trello"
    GITHUB = "github"

    @property
    def has_file(self) -> bool:
        return self is not ImportFormat.GITHUB


class OnError(StrEnum):
    SKIP = "skip"
    """What is broken is left out."""
    STOP = "stop"
    """All is checked first, and nothing is stored where something is broken."""


class ImportStatus(StrEnum):
    AWAITING_FILE = "awaiting_file"
    QUEUED = "queued"
    CHECKING = "checking"
    STORING = "storing"
    CHECKED = "checked"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_under_way(self) -> bool:
        return self in UNDER_WAY

    @property
    def is_at_rest(self) -> bool:
        return self in {ImportStatus.CHECKED, ImportStatus.COMPLETED, ImportStatus.FAILED}

    @property
    def is_startable(self) -> bool:
        return self in {ImportStatus.CHECKED, ImportStatus.FAILED}


UNDER_WAY: Final = {ImportStatus.QUEUED, ImportStatus.CHECKING, ImportStatus.STORING}


class Import(TenantEntity):
    """What comes from another tracker, and how far it is."""

    __tablename__ = "imports"

    format: Mapped[ImportFormat] = mapped_column()
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Of the format."""
    project_id: Mapped[UUID | None]
    """Null while it is not made."""
    project_key: Mapped[str | None]
    """Of the project that is meant, or is made where there is none."""
    is_key_derived: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the key was made of the source's name: then it means no project of others that has it."""
    on_error: Mapped[OnError] = mapped_column()
    dry_run: Mapped[bool]
    object_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_objects.id"), unique=True)
    secret: Mapped[str | None]
    """The token of whoever asks the source, sealed; gone when the import has ended."""
    sha256: Mapped[str | None]
    size: Mapped[int | None]
    """Bytes."""
    status: Mapped[ImportStatus] = mapped_column()
    source: Mapped[str | None]
    position: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Behind the last record that is done, as the source puts it; empty ahead of the first one."""
    highest: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    done: Mapped[int] = mapped_column(default=0)
    tasks: Mapped[int] = mapped_column(default=0)
    tasks_there: Mapped[int] = mapped_column(default=0)
    comments: Mapped[int] = mapped_column(default=0)
    comments_there: Mapped[int] = mapped_column(default=0)
    labels: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    created_by: Mapped[UUID]
    waiting_until: Mapped[datetime | None]
    """When the source may be asked again."""
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            ondelete="SET NULL (project_id)",
        ),
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "workspace_id", "project_id"),
    )


class ImportFault(Base):
    """A record that was left out, or is not as it was, and why."""

    __tablename__ = "import_faults"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """In the order in which they are found, from 1 on."""
    place: Mapped[str]
    code: Mapped[str]
    message: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "import_id"], ["imports.workspace_id", "imports.id"], ondelete="CASCADE"
        ),
    )


class CheckedKind(StrEnum):
    TASK = "task"
    COMMENT = "comment"
    LABEL = "label"


class CheckedRecord(Base):
    """What a check has met, so that it tells what comes twice; gone when it has ended."""

    __tablename__ = "checked_records"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[CheckedKind] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """The id in the source, of a comment with that of its task, or the name of a label in lower case."""
    level: Mapped[int]
    """How deep a task would lie, from 1 on."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "import_id"], ["imports.workspace_id", "imports.id"], ondelete="CASCADE"
        ),
    )
