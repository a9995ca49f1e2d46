from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.clock import now
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.errors import require
from glasswork.core.images import make_thumbnail
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.statements import AnyRow
from glasswork.core.storage import Storage, announce, find_abandoned, forget
from glasswork.core.tokens import Keys
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.service import TaskService

from .errors import LinkNotFoundError, ThumbnailNotFoundError
from .events import AttachmentDeleted, AttachmentUpdated
from .models import Attachment
from .repository import AttachmentRepository
from .schemas import AttachmentQuery, LinkRead

SWEPT_AT_ONCE = 500

Compute = Callable[..., Awaitable[Any]]

_LINK = "link to a file"


class AttachmentService:
    """Files of tasks."""

    def __init__(self, session: AsyncSession) -> None:
        self._attachments = AttachmentRepository(session)
        self._tasks = TaskService(session)
        self._outbox = Outbox(session)

    async def page(self, actor: Actor, task_id: UUID, query: AttachmentQuery) -> Page[AnyRow]:
        page = await self._attachments.page(actor, task_id, query)
        if not page.items:
            await self._tasks.get(actor, task_id)
        return page

    async def get(self, actor: Actor, attachment_id: UUID) -> AnyRow:
        return await self._attachments.get(actor, attachment_id)

    async def get_thumbnail(self, actor: Actor, attachment_id: UUID) -> AnyRow:
        attachment = await self._attachments.get(actor, attachment_id)
        if attachment.thumbnail_id is None:
            raise ThumbnailNotFoundError(attachment_id)
        return attachment

    async def delete(self, actor: Actor, attachment_id: UUID, precondition: Precondition) -> None:
        """The bytes go later, when nothing refers to them."""
        await self._attachments.get(actor, attachment_id)
        attachment, role = await self._attachments.lock(actor, attachment_id)
        require(can_write(role))
        precondition.check(attachment)
        self._outbox.record(actor, AttachmentDeleted.of(attachment))
        await self._attachments.delete(attachment)


class LinkService:
    """Whoever has a link may download, and nobody has to remember whom it was given to."""

    def __init__(self, session: AsyncSession, keys: Keys, base_url: str) -> None:
        self._attachments = AttachmentRepository(session)
        self._keys = keys
        self._base_url = base_url

    async def make(self, actor: Actor, attachment_id: UUID, lifetime: timedelta) -> LinkRead:
        await self._attachments.get(actor, attachment_id)
        expires_at = (now() + lifetime).replace(microsecond=0)
        sealed = seal(self._keys, _LINK, f"{attachment_id} {expires_at.isoformat()}".encode())
        return LinkRead(url=f"{self._base_url}/files/{sealed.decode()}", expires_at=expires_at)

    async def follow(self, token: str) -> AnyRow:
        """Return the attachment of a link; raise LinkNotFoundError."""
        try:
            attachment_id, _, expires_at = unseal(self._keys, _LINK, token.encode()).decode().partition(" ")
        except BrokenSealError as error:
            raise LinkNotFoundError from error
        if datetime.fromisoformat(expires_at) <= now():
            raise LinkNotFoundError
        attachment = await self._attachments.find_linked(UUID(attachment_id))
        if attachment is None:
            raise LinkNotFoundError
        return attachment


class ThumbnailService:
    def __init__(self, database: Database, storage: Storage, in_child_process: Compute) -> None:
        self._database = database
        self._storage = storage
        self._compute = in_child_process

    async def make(self, attachment_id: UUID) -> None:
        """Where there is none yet, and the file is a picture that one can be made of."""
        async with self._database.transaction() as session:
            attachment = await AttachmentRepository(session).find(attachment_id)
            if attachment is None or attachment.has_thumbnail or not attachment.is_picture:
                return
            thumbnail_id = await announce(session)
        content = await self._storage.open(attachment.object_id, 0, attachment.size)
        picture = b"".join([chunk async for chunk in content])
        small: bytes | None = await self._compute(make_thumbnail, picture, attachment.media_type)
        if small is not None:
            await self._storage.put(thumbnail_id, _at_once(small))
            await self._show(attachment, thumbnail_id, len(small))

    async def _show(self, seen: Attachment, thumbnail_id: UUID, size: int) -> None:
        async with self._database.system_transaction() as session:
            attachments = AttachmentRepository(session)
            attachment = await attachments.find_locked(seen.id)
            if attachment is None or attachment.object_id != seen.object_id or attachment.has_thumbnail:
                return
            with Outbox(session).updating(None, AttachmentUpdated, attachment):
                attachment.change({"thumbnail_id": thumbnail_id, "thumbnail_size": size})
                await attachments.flush()


class SweepService:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def sweep(self) -> None:
        """Delete the objects that nothing refers to; nothing will refer to them again."""
        while True:
            async with self._database.reading() as session:
                abandoned = await find_abandoned(session, SWEPT_AT_ONCE)
            await self._storage.delete(abandoned)
            async with self._database.transaction() as session:
                await forget(session, abandoned)
            if len(abandoned) < SWEPT_AT_ONCE:
                return


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content
