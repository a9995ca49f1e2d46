"""Files on their way in: measured as they come, and nobody waits for a sender for ever."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from glasswork.core.db import Database
from glasswork.core.errors import AppError, RequestTimeoutError
from glasswork.core.media_types import HEAD_BYTES, media_type_of
from glasswork.core.storage import Storage, forget

IDLE_SECONDS = 60
"""How long a sender may send nothing."""
UPLOAD_SECONDS = 6 * 3600.0
"""Of a whole file; well below the time after which an object that nothing refers to is swept away."""


@dataclass(frozen=True, slots=True)
class Received:
    """What has come in: as it is measured, not as it was announced."""

    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""
    media_type: str


async def receive(storage: Storage, object_id: UUID, chunks: AsyncIterator[bytes]) -> Received:
    """Store what comes; raise RequestTimeoutError when nothing, or not all, has come in time."""
    digest, head, size = hashlib.sha256(), b"", 0

    async def measured() -> AsyncIterator[bytes]:
        nonlocal head, size
        async for chunk in _in_time(chunks):
            digest.update(chunk)
            size += len(chunk)
            head += chunk[: HEAD_BYTES - len(head)]
            yield chunk

    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            await storage.put(object_id, measured())
    except TimeoutError as error:
        raise RequestTimeoutError(f"It was not there after {UPLOAD_SECONDS:g} s.") from error
    return Received(size, digest.hexdigest(), media_type_of(head))


async def discard(database: Database, storage: Storage, object_ids: Collection[UUID]) -> None:
    """Delete what nothing refers to; what cannot be reached now is swept away later."""
    with suppress(AppError):
        await storage.delete(object_ids)
        async with database.transaction() as session:
            await forget(session, object_ids)


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Raise RequestTimeoutError when the sender has sent nothing for too long."""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise RequestTimeoutError(f"Nothing came for {IDLE_SECONDS} s.") from error
        yield chunk
