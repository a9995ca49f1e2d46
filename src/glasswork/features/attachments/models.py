from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.images import MOST_BYTES, READABLE
from glasswork.core.models import TenantEntity


class Attachment(TenantEntity):
    """A file of a task, which has one of each name."""

    __tablename__ = "attachments"

    task_id: Mapped[UUID]
    name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes."""
    sha256: Mapped[str]
    """Hexadecimal."""
    media_type: Mapped[str]
    object_id: Mapped[UUID] = mapped_column(ForeignKey("stored_objects.id"), unique=True)
    thumbnail_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_objects.id"), unique=True)
    thumbnail_size: Mapped[int | None]
    created_by: Mapped[UUID]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        UniqueConstraint("workspace_id", "task_id", "name"),
        Index("ix_attachments_usage", "workspace_id", postgresql_include=["size"]),
    )

    @property
    def has_thumbnail(self) -> bool:
        return self.thumbnail_id is not None

    @property
    def is_picture(self) -> bool:
        return self.media_type in READABLE and self.size <= MOST_BYTES
