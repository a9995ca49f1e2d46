from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import InstallationEvent
from glasswork.features.accounts.models import User

from .errors import InvalidOneTimeTokenError
from .models import LIFETIMES, OneTimeToken, Purpose


class OneTimeTokenRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, token_hash: str, user_id: UUID, purpose: Purpose, address: str | None = None) -> None:
        """A token that is there already stays: a job that runs again sends the same one."""
        values = {"token_hash": token_hash, "user_id": user_id, "purpose": purpose, "address": address}
        statement = insert(OneTimeToken).values(**values, expires_at=func.now() + LIFETIMES[purpose])
        await self._session.execute(statement.on_conflict_do_nothing())

    async def use(self, token_hash: str, purpose: Purpose) -> tuple[User, datetime, str | None]:
        """Use it up, in one statement: of two callers one goes through.

        Return whose it was, the time, and the address that it was sent to, where that is a new one.
        """
        used = (
            update(OneTimeToken)
            .where(
                OneTimeToken.token_hash == token_hash,
                OneTimeToken.purpose == purpose,
                OneTimeToken.used_at.is_(None),
                OneTimeToken.expires_at > func.now(),
            )
            .values(used_at=func.now())
            .returning(OneTimeToken.user_id, OneTimeToken.used_at, OneTimeToken.address)
        )
        row = (await self._session.execute(used)).one_or_none()
        if row is None:
            raise InvalidOneTimeTokenError
        one = select(User).where(User.id == row.user_id, User.is_active).with_for_update()
        user = (await self._session.execute(one)).scalar_one_or_none()
        if user is None:
            raise InvalidOneTimeTokenError
        return user, row.used_at, row.address

    async def void(self, user_id: UUID, *purposes: Purpose) -> None:
        """Let no token that is still on its way do anything."""
        unused = update(OneTimeToken).where(
            OneTimeToken.user_id == user_id,
            OneTimeToken.purpose.in_(purposes),
            OneTimeToken.used_at.is_(None),
        )
        await self._session.execute(unused.values(used_at=func.now()))

    async def request(self, event_id: UUID) -> Mapping[str, Any]:
        """Return what was asked for, as its event tells."""
        asked = select(InstallationEvent.after).where(InstallationEvent.id == event_id)
        return (await self._session.execute(asked)).scalar_one() or {}
