from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import TenantEntity


class Kind(StrEnum):
    BLOCKS = "blocks"
    RELATES = "relates"
    DUPLICATES = "duplicates"


class Relation(TenantEntity):
    """What one task is to another; `relates` holds both ways: stored from the lower id to the higher."""

    __tablename__ = "relations"

    kind: Mapped[Kind]
    from_id: Mapped[UUID]
    to_id: Mapped[UUID] = mapped_column()

    __table_args__ = (
        *(
            ForeignKeyConstraint(
                ["workspace_id", end], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
            )
            for end in ("from_id", "to_id")
        ),
        UniqueConstraint("workspace_id", "from_id", "kind", "to_id"),
        Index(None, "workspace_id", "to_id"),
        CheckConstraint("from_id <> to_id", "not_to_itself"),
    )
