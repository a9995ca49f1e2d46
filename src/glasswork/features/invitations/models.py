from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import TenantEntity
from glasswork.features.workspaces.models import Role

INVITATION_LIFETIME: Final = timedelta(days=7)


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
