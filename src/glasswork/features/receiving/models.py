from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base


class ReceivedMessage(Base):
    """What a hook has taken: it is not taken again. `id` is the session of the events that came of it."""

    __tablename__ = "received_messages"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, index=True, unique=True)
    hook_id: Mapped[UUID]
    message_id: Mapped[str]
    signature: Mapped[str | None] = mapped_column()
    """Of a message that does not say when it was sent: its id is not signed, and it never grows stale."""
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "hook_id"], ["hooks.workspace_id", "hooks.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("workspace_id", "hook_id", "message_id"),
        UniqueConstraint("workspace_id", "hook_id", "signature"),
        Index("ix_received_messages_dated", "received_at", postgresql_where=signature.is_(None)),
    )
