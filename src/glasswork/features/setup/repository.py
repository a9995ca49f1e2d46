from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from .models import SetupToken


class SetupTokenRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, token_hash: str) -> None:
        self._session.add(SetupToken(token_hash=token_hash))
        await self._session.flush()

    async def has(self, token_hash: str) -> bool:
        one = select(SetupToken.token_hash).where(SetupToken.token_hash == token_hash)
        return (await self._session.execute(one)).first() is not None

    async def delete_all(self) -> None:
        await self._session.execute(delete(SetupToken))
