from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.statements import AnyRow

from .repository import LetterRepository

BATCH = 500
MOST_IN_A_LETTER = 100


class LetterService:
    """What of that which people are told goes out by mail."""

    def __init__(self, session: AsyncSession) -> None:
        self._letters = LetterRepository(session)

    async def find(self, notification_id: UUID) -> AnyRow | None:
        """None: it is no news any more, or is not for them to see."""
        return await self._letters.find_told(notification_id)

    async def waiting(self) -> Sequence[Row[UUID, datetime]]:
        return await self._letters.waiting(BATCH)

    async def daily(self, user_id: UUID, until: datetime) -> Sequence[AnyRow]:
        """One more than a letter has stands for all that it leaves out."""
        return await self._letters.daily(user_id, until, MOST_IN_A_LETTER + 1)

    async def mark_mailed(self, user_id: UUID, until: datetime) -> None:
        await self._letters.mark_mailed(user_id, until)
