from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, Entity


class AnnouncementStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"


class LetterState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    """Claimed: what a crash leaves so is never sent again."""
    SENT = "sent"
    FAILED = "failed"
    UNSURE = "unsure"


class Announcement(Entity):
    """What an admin lets all members of a workspace know, or all users of the installation."""

    __tablename__ = "announcements"

    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    """None: the installation's."""
    subject: Mapped[str]
    body: Mapped[str]
    status: Mapped[AnnouncementStatus] = mapped_column(default=AnnouncementStatus.QUEUED)
    total: Mapped[int] = mapped_column(default=0)
    sent: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    unsure: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "workspace_id", "created_at", "id"),)

    def start(self, total: int) -> None:
        self.change({"status": AnnouncementStatus.SENDING, "total": total, "started_at": func.now()})

    def finish(self) -> None:
        """Whoever has no letter by now has left."""
        self.skipped = self.total - self.sent - self.failed - self.unsure
        self.change({"status": AnnouncementStatus.SENT, "finished_at": func.now()})


class AnnouncementLetter(Base):
    """One for each recipient, who is chosen when the sending begins."""

    __tablename__ = "announcement_letters"

    announcement_id: Mapped[UUID] = mapped_column(
        ForeignKey("announcements.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    state: Mapped[LetterState] = mapped_column(default=LetterState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was put off."""
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index(None, "announcement_id", "state", "due_at"),)
