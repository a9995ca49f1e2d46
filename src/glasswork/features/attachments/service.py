import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition, Seen
from glasswork.core.db import AnyRow, Database
from glasswork.core.errors import AppError, OutcomeUnknownError, RequestTimeoutError, require
from glasswork.core.images import make_thumbnail
from glasswork.core.media_types import HEAD_BYTES, media_type_of
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.storage import Storage, announce, find_abandoned, forget
from glasswork.core.tokens import Keys
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.access import role_in

from .errors import (
    LinkNotFoundError,
    NameFreeError,
    NameTakenError,
    QuotaExceededError,
    ThumbnailNotFoundError,
)
from .events import AttachmentCreated, AttachmentDeleted, AttachmentUpdated
from .models import Attachment
from .repository import AttachmentRepository
from .schemas import AttachmentQuery, LinkRead, Received

IDLE_SECONDS = 60
"""How long a sender may send nothing."""
UPLOAD_SECONDS = 6 * 3600.0
"""Of a whole file; well below the time after which an object that nothing refers to is swept away."""

SWEPT_AT_ONCE = 500

Compute = Callable[..., Awaitable[Any]]

_LINK = "link to a file"
_NO_THUMBNAIL = {"thumbnail_id": None, "thumbnail_size": None}


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

    async def link(
        self, actor: Actor, attachment_id: UUID, keys: Keys, base_url: str, lifetime: timedelta
    ) -> LinkRead:
        await self._attachments.get(actor, attachment_id)
        expires_at = (datetime.now(UTC) + lifetime).replace(microsecond=0)
        sealed = seal(keys, _LINK, f"{attachment_id} {expires_at.isoformat()}".encode())
        return LinkRead(url=f"{base_url}/files/{sealed.decode()}", expires_at=expires_at)

    async def follow(self, keys: Keys, token: str) -> AnyRow:
        """Return the attachment of a link; raise LinkNotFoundError."""
        try:
            attachment_id, _, expires_at = unseal(keys, _LINK, token.encode()).decode().partition(" ")
        except BrokenSealError as error:
            raise LinkNotFoundError from error
        if datetime.fromisoformat(expires_at) <= datetime.now(UTC):
            raise LinkNotFoundError
        attachment = await self._attachments.find_linked(UUID(attachment_id))
        if attachment is None:
            raise LinkNotFoundError
        return attachment


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody sends."""

    task_id: UUID
    name: str
    declared: int
    """Bytes that are announced; 0: they are not."""
    chunks: AsyncIterator[bytes]
    precondition: Precondition
    seen: Seen

    def check(self, current: Attachment | None) -> None:
        """Raise where the sender wants to replace another version, or to replace none."""
        if current is None:
            if self.precondition.versions is not None:
                raise NameFreeError(self.name)
            return
        if self.seen.versions is None:
            raise NameTakenError(self.name)
        self.precondition.check(current)


class UploadService:
    """Takes files in: a transaction before the bytes, and one behind them; none waits for a sender."""

    def __init__(self, database: Database, storage: Storage, quota: int) -> None:
        self._database = database
        self._storage = storage
        self._quota = quota

    async def put(self, actor: Actor, upload: Upload) -> tuple[AnyRow, bool]:
        """Store a file under its name; return it, and whether the name is new to the task."""
        async with self._database.transaction(actor) as session:
            await self._check(session, actor, upload)
            object_id = await announce(session)
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                received = await self._receive(object_id, upload.chunks)
            async with self._database.transaction(actor) as session:
                return await self._keep(session, actor, upload, object_id, received)
        except OutcomeUnknownError:
            raise  # perhaps something refers to it now
        except BaseException:
            await asyncio.shield(self._discard(object_id))
            raise

    async def _check(self, session: AsyncSession, actor: Actor, upload: Upload) -> None:
        """Refuse before it is sent what would be refused behind it."""
        task = await TaskService(session).get(actor, upload.task_id)
        require(can_write(await role_in(session, actor, task.workspace_id)))
        await self._require_room(AttachmentRepository(session), task.workspace_id, upload.declared)

    async def _receive(self, object_id: UUID, chunks: AsyncIterator[bytes]) -> Received:
        digest, head, size = hashlib.sha256(), b"", 0

        async def measured() -> AsyncIterator[bytes]:
            nonlocal head, size
            async for chunk in _in_time(chunks):
                digest.update(chunk)
                size += len(chunk)
                head += chunk[: HEAD_BYTES - len(head)]
                yield chunk

        await self._storage.put(object_id, measured())
        return Received(size, digest.hexdigest(), media_type_of(head))

    async def _keep(
        self, session: AsyncSession, actor: Actor, upload: Upload, object_id: UUID, received: Received
    ) -> tuple[AnyRow, bool]:
        attachments, outbox = AttachmentRepository(session), Outbox(session)
        task, role = await attachments.lock_task(actor, upload.task_id)
        require(can_write(role))
        attachment = await attachments.find_named(task, upload.name)
        upload.check(attachment)
        await attachments.lock_usage(task.workspace_id)
        if attachment is None:
            await self._require_room(attachments, task.workspace_id, received.size)
            attachment = Attachment(
                workspace_id=task.workspace_id,
                task_id=task.id,
                name=upload.name,
                object_id=object_id,
                created_by=actor.user_id,
                **asdict(received),
            )
            await attachments.add(attachment)
            outbox.record(actor, AttachmentCreated.of(attachment))
            return await attachments.get(actor, attachment.id), True
        if attachment.sha256 != received.sha256:
            await self._require_room(attachments, task.workspace_id, received.size - attachment.size)
            with outbox.updating(actor, AttachmentUpdated, attachment):
                attachment.change({"object_id": object_id, **_NO_THUMBNAIL, **asdict(received)})
                await attachments.flush()
        return await attachments.get(actor, attachment.id), False

    async def _require_room(self, attachments: AttachmentRepository, workspace_id: UUID, more: int) -> None:
        used = await attachments.used(workspace_id)
        if used + more > self._quota:
            raise QuotaExceededError(used, self._quota)

    async def _discard(self, object_id: UUID) -> None:
        """What cannot be reached now is swept away later."""
        with suppress(AppError):
            await self._storage.delete([object_id])
            async with self._database.transaction() as session:
                await forget(session, [object_id])


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


class ThumbnailService:
    def __init__(self, database: Database, storage: Storage, in_child_process: Compute) -> None:
        self._database = database
        self._storage = storage
        self._compute = in_child_process

    async def make(self, attachment_id: UUID) -> None:
        """Where there is none yet, and the file is a picture that one can be made of."""
        async with self._database.system_transaction() as session:
            attachment = await AttachmentRepository(session).find(attachment_id)
            if attachment is None or attachment.has_thumbnail or not attachment.is_picture:
                return
            thumbnail_id = await announce(session)
        content = await self._storage.open(attachment.object_id, 0, attachment.size)
        picture = b"".join([chunk async for chunk in content])
        small: bytes | None = await self._compute(make_thumbnail, picture, attachment.media_type)
        if small is not None:
            await self._storage.put(thumbnail_id, _at_once(small))
            await self._keep(attachment, thumbnail_id, len(small))

    async def _keep(self, seen: Attachment, thumbnail_id: UUID, size: int) -> None:
        async with self._database.system_transaction() as session:
            attachments = AttachmentRepository(session)
            attachment = await attachments.find(seen.id)
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
            async with self._database.system_transaction() as session:
                await forget(session, abandoned)
            if len(abandoned) < SWEPT_AT_ONCE:
                return


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content
