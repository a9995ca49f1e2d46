from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.features.hooks.schemas import OpenHook

from .models import ReceivedMessage
from .schemas import Proof


class MessageRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, hook: OpenHook, received_id: UUID, proof: Proof) -> bool:
        """Return whether it is new; who brings the same at the same time waits to know."""
        statement = (
            insert(ReceivedMessage)
            .values(
                workspace_id=hook.workspace_id,
                id=received_id,
                hook_id=hook.id,
                message_id=proof.message_id,
                signature=proof.signature,
            )
            .on_conflict_do_nothing()
            .returning(ReceivedMessage.id)
        )
        return (await self._session.execute(statement)).scalar_one_or_none() is not None
