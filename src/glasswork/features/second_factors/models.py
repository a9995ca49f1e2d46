from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base


class TotpSecret(Base):
    """What an authenticator app and we both know, sealed; the second factor is on once it is confirmed."""

    __tablename__ = "totp_secrets"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[str]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """That of the last code which was accepted: none is accepted twice, and none that is older."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Since the last code that was right."""
    attempted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RecoveryCode(Base):
    """Stands in for a code of the app, once; only its hash is kept."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("totp_secrets.user_id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[str] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None]
