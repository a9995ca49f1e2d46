from contextlib import suppress
from uuid import UUID

from glasswork.core.db import Database
from glasswork.core.sealing import BrokenSealError, reseal
from glasswork.core.tokens import Keys

from .repository import SEALED, Sealed, SealRepository

BATCH = 500


class SealService:
    """JWT_SECRET seals what is kept: while the one before is accepted, all is sealed by the new one."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys

    async def renew(self) -> None:
        for sealed in SEALED:
            last: UUID | None = UUID(int=0)
            while last is not None:
                last = await self._renew_after(sealed, last)

    async def _renew_after(self, sealed: Sealed, row_id: UUID) -> UUID | None:
        """In transactions of a bounded size; return the last row's id, or None when there are no more."""
        async with self._database.system_transaction() as session:
            repository = SealRepository(session, sealed)
            rows = await repository.after(row_id, BATCH)
            for row in rows:
                # What cannot be opened waits for its owner, who can make another one.
                with suppress(BrokenSealError):
                    resealed = reseal(self._keys, sealed.purpose(row.id), row.secret.encode()).decode()
                    if resealed != row.secret:
                        await repository.reseal(row.id, row.secret, resealed)
        return rows[-1].id if rows else None
