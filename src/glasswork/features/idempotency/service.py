from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import KeyReusedError
from .repository import KeyRepository
from .schemas import Answer, Attempt


class IdempotencyService:
    """Carries out a request with a key once, in the transaction of the work."""

    def __init__(self, session: AsyncSession) -> None:
        self._keys = KeyRepository(session)

    async def begin(self, actor: Actor, attempt: Attempt) -> Answer | None:
        """Take the key before anything else is done; or return the answer of the request that had it."""
        if await self._keys.claim(actor, attempt):
            return None
        kept = await self._keys.find(actor, attempt)
        if kept.fingerprint != attempt.fingerprint:
            raise KeyReusedError
        if not kept.is_open:
            raise WorkspaceNotFoundError(kept.workspace_id)
        return Answer(kept.status, kept.headers, kept.body, kept.workspace_id)

    async def keep(self, actor: Actor, attempt: Attempt, answer: Answer) -> None:
        await self._keys.keep(actor, attempt, answer)
