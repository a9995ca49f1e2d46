import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition, Seen
from glasswork.core.db import Database
from glasswork.core.errors import OutcomeUnknownError, require
from glasswork.core.outbox import Outbox
from glasswork.core.receiving import Received, discard, receive
from glasswork.core.statements import AnyRow
from glasswork.core.storage import Storage, announce
from glasswork.features.attachments.events import AttachmentCreated, AttachmentUpdated
from glasswork.features.attachments.models import Attachment
from glasswork.features.attachments.service import AttachmentService
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.access import role_in

from .errors import NameFreeError, NameTakenError, QuotaExceededError
from .repository import UploadRepository

_NO_THUMBNAIL: Final = {"thumbnail_id": None, "thumbnail_size": None}


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
            received = await receive(self._storage, object_id, upload.chunks)
            async with self._database.transaction(actor) as session:
                attachment, is_new = await self._keep(session, actor, upload, object_id, received)
        except OutcomeUnknownError:
            raise  # perhaps something refers to it now
        except BaseException:
            await asyncio.shield(discard(self._database, self._storage, [object_id]))
            raise
        if attachment.object_id != object_id:  # the same bytes were there
            await discard(self._database, self._storage, [object_id])
        return attachment, is_new

    async def _check(self, session: AsyncSession, actor: Actor, upload: Upload) -> None:
        """Refuse before it is sent what would be refused behind it."""
        task = await TaskService(session).get(actor, upload.task_id)
        require(can_write(await role_in(session, actor, task.workspace_id)))
        await self._require_room(UploadRepository(session), task.workspace_id, upload.declared)

    async def _keep(
        self, session: AsyncSession, actor: Actor, upload: Upload, object_id: UUID, received: Received
    ) -> tuple[AnyRow, bool]:
        uploads, outbox = UploadRepository(session), Outbox(session)
        task, role = await uploads.lock_task(actor, upload.task_id)
        require(can_write(role))
        attachment = await uploads.find_named(task, upload.name)
        upload.check(attachment)
        await uploads.lock_usage(task.workspace_id)
        if attachment is None:
            await self._require_room(uploads, task.workspace_id, received.size)
            attachment = Attachment(
                workspace_id=task.workspace_id,
                task_id=task.id,
                name=upload.name,
                object_id=object_id,
                created_by=actor.user_id,
                **asdict(received),
            )
            await uploads.add(attachment)
            outbox.record(actor, AttachmentCreated.of(attachment))
            return await AttachmentService(session).get(actor, attachment.id), True
        if attachment.sha256 != received.sha256:
            await self._require_room(uploads, task.workspace_id, received.size - attachment.size)
            with outbox.updating(actor, AttachmentUpdated, attachment):
                attachment.change({"object_id": object_id, **_NO_THUMBNAIL, **asdict(received)})
                await uploads.flush()
        return await AttachmentService(session).get(actor, attachment.id), False

    async def _require_room(self, uploads: UploadRepository, workspace_id: UUID, more: int) -> None:
        used = await uploads.used(workspace_id)
        if used + more > self._quota:
            raise QuotaExceededError(used, self._quota)
