from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.statements import AnyRow

from .access import Lease
from .repository import FollowingRepository


class FollowingService:
    """Makes deliveries of what has happened, for a webhook that the caller has the lease of."""

    def __init__(self, session: AsyncSession) -> None:
        self._following = FollowingRepository(session)

    async def follow(self, lease: Lease, webhook: AnyRow, progress: AnyRow) -> bool:
        """Whether there is more to follow; one that is off gives up what it has not delivered instead."""
        if webhook.is_enabled:
            return await self._following.follow(lease, webhook, progress)
        return await self._following.give_up(lease)
