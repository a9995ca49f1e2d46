from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base


class SetupToken(Base):
    """Printed by `serve` for whoever opens the first admin's account; only its hash is kept.

    Each start prints one of its own. All of them end when there is an admin.
    """

    __tablename__ = "setup_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
