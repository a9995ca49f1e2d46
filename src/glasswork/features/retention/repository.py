from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    and_,
    column,
    delete,
    func,
    or_,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.events import WorkspaceEvent
from glasswork.core.guessing import FORGOTTEN_AFTER, KNOWN_FOR, GuessCount
from glasswork.core.jobs import SCHEMA, DoneJob
from glasswork.core.mail import KeptMail
from glasswork.features.announcements.models import Announcement, AnnouncementLetter
from glasswork.features.archives.models import Archive
from glasswork.features.attachments.events import AttachmentDeleted
from glasswork.features.attachments.models import Attachment
from glasswork.features.calendars.events import CalendarFeedDeleted
from glasswork.features.comments.models import Comment, CommentReaction
from glasswork.features.credentials.models import OneTimeToken
from glasswork.features.deliveries.models import Delivery, DeliveryStatus
from glasswork.features.hooks.models import Hook
from glasswork.features.idempotency.models import KEPT_FOR, IdempotencyKey
from glasswork.features.imports.models import UNDER_WAY, Import, ImportFault
from glasswork.features.invitations.events import InvitationDeleted
from glasswork.features.links.events import LinkDeleted
from glasswork.features.links.models import TaskLink
from glasswork.features.notifications.models import TOLD_FOR, Notification
from glasswork.features.projects.events import LabelDeleted
from glasswork.features.projects.models import Project
from glasswork.features.receiving.models import ReceivedMessage
from glasswork.features.reports.events import ReportDeleted
from glasswork.features.reports.models import KEPT_FOR as REPORTS_KEPT_FOR
from glasswork.features.reports.models import Report
from glasswork.features.tasks.models import Task
from glasswork.features.webhooks.models import Webhook
from glasswork.features.workflow.events import StatusDeleted
from glasswork.features.workspaces.models import Workspace

AT_ONCE = (
    *(LabelDeleted.type, StatusDeleted.type, InvitationDeleted.type, AttachmentDeleted.type),
    *(LinkDeleted.type, CalendarFeedDeleted.type, ReportDeleted.type),
)
_log = table("pgqueuer_log", column("id", BigInteger), column("created", DateTime), schema=SCHEMA)


class PurgeRepository:
    """Deletes for good, a batch at a time, what was deleted longer ago than `age`."""

    def __init__(self, session: AsyncSession, age: timedelta, batch: int) -> None:
        self._session = session
        self._age = age
        self._batch = batch

    async def purge_comments(self) -> int:
        """Where there are replies, deleted or not, only what was said goes: they would go along."""
        reply = aliased(Comment)
        has_replies = select(reply.id).where(reply.reply_to_id == Comment.id).exists()
        gone = (
            select(Comment.workspace_id, Comment.id, has_replies)
            .where(self._is_old(Comment.deleted_at), or_(Comment.body.is_not(None), ~has_replies))
            .with_for_update(of=Comment, skip_locked=True)
            .limit(self._batch)
        )
        rows = (await self._session.execute(gone)).all()
        places = [(row[0], row[1]) for row in rows if row[2]]
        is_place = tuple_(Comment.workspace_id, Comment.id).in_(places)
        silent = update(Comment).where(is_place).values(body=None, body_html="", mentions=[])
        await self._session.execute(silent)
        reacted = tuple_(CommentReaction.workspace_id, CommentReaction.comment_id).in_(places)
        await self._session.execute(delete(CommentReaction).where(reacted))
        await self._blank(places)
        await self._purge(Comment, [(row[0], row[1]) for row in rows if not row[2]])
        return len(rows)

    async def purge_tasks(self) -> int:
        return await self._purge_tasks(self._is_old(Task.deleted_at))

    async def purge_tasks_of_projects(self) -> int:
        return await self._purge_tasks(self._is_old(Project.deleted_at))

    async def purge_tasks_of_workspaces(self) -> int:
        return await self._purge_tasks(self._is_old(Workspace.deleted_at))

    async def purge_projects(self) -> int:
        gone = select(Project.workspace_id, Project.id).where(self._is_old(Project.deleted_at))
        rows = await self._session.execute(gone.limit(self._batch))
        return await self._purge(Project, [(row[0], row[1]) for row in rows])

    async def purge_workspaces(self) -> int:
        """Their events go with them: there is nobody left who could read them."""
        gone = select(Workspace.id).where(self._is_old(Workspace.deleted_at)).limit(self._batch)
        deleted = await self._session.execute(
            delete(Workspace).where(Workspace.id.in_(gone)).returning(Workspace.id)
        )
        return len(deleted.all())

    async def purge_remains(self) -> int:
        """Of what is deleted at once only what its events held is left."""
        gone = (
            select(WorkspaceEvent.workspace_id, WorkspaceEvent.subject_id)
            .where(
                WorkspaceEvent.type.in_(AT_ONCE),
                WorkspaceEvent.before.is_not(None),
                WorkspaceEvent.at < func.now() - self._age,
            )
            .limit(self._batch)
        )
        subjects = [(row[0], row[1]) for row in await self._session.execute(gone)]
        await self._blank(subjects)
        return len(subjects)

    async def purge_traces(self) -> int:
        """Of jobs that are done: their log, the marks that they had their effect, mail and tokens."""
        old = select(_log.c.id).where(_log.c.created < func.now() - self._age).limit(self._batch)
        logged = await self._session.execute(delete(_log).where(_log.c.id.in_(old)).returning(_log.c.id))
        marks = select(DoneJob.job_id).where(DoneJob.done_at < func.now() - self._age).limit(self._batch)
        await self._session.execute(delete(DoneJob).where(DoneJob.job_id.in_(marks)))
        await self._session.execute(delete(KeptMail).where(KeptMail.kept_at < func.now() - self._age))
        await self._session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at < func.now()))
        return len(logged.all())

    async def purge_letters(self) -> int:
        """Of announcements that went out: their numbers stay, and nobody's name."""
        key = (AnnouncementLetter.announcement_id, AnnouncementLetter.user_id)
        old = (
            select(*key)
            .join(Announcement, Announcement.id == AnnouncementLetter.announcement_id)
            .where(self._is_old(Announcement.finished_at))
            .limit(self._batch)
        )
        gone = delete(AnnouncementLetter).where(tuple_(*key).in_(old)).returning(AnnouncementLetter.user_id)
        return len((await self._session.execute(gone)).all())

    async def purge_guesses(self) -> int:
        """After a day no wrong one counts any more."""
        old = (
            select(GuessCount.key)
            .where(
                GuessCount.counted_at < func.now() - FORGOTTEN_AFTER,
                or_(GuessCount.right_at.is_(None), GuessCount.right_at < func.now() - KNOWN_FOR),
            )
            .limit(self._batch)
            .with_for_update(skip_locked=True)
        )
        gone = delete(GuessCount).where(GuessCount.key.in_(old)).returning(GuessCount.key)
        return len((await self._session.execute(gone)).all())

    async def purge_notifications(self) -> int:
        """Who has not looked for so long will not."""
        old = select(Notification.id).where(Notification.created_at < func.now() - TOLD_FOR)
        batch = old.limit(self._batch).with_for_update(skip_locked=True)
        gone = delete(Notification).where(Notification.id.in_(batch)).returning(Notification.id)
        return len((await self._session.execute(gone)).all())

    async def purge_messages(self) -> int:
        """Those that would be too old to be taken again; the others go with their hook."""
        key = (ReceivedMessage.workspace_id, ReceivedMessage.id)
        old = select(*key).where(
            ReceivedMessage.signature.is_(None), ReceivedMessage.received_at < func.now() - self._age
        )
        gone = delete(ReceivedMessage).where(tuple_(*key).in_(old.limit(self._batch)))
        return len((await self._session.execute(gone.returning(ReceivedMessage.id))).all())

    async def purge_reports(self) -> int:
        """With their charts; whoever wants to keep one has downloaded it."""
        old = select(Report.workspace_id, Report.id).where(Report.created_at < func.now() - REPORTS_KEPT_FOR)
        rows = await self._session.execute(old.limit(self._batch))
        return await self._purge(Report, [(row[0], row[1]) for row in rows])

    async def purge_keys(self) -> int:
        """They are of no use any more, not even those that were never sent again."""
        key = (IdempotencyKey.user_id, IdempotencyKey.operation, IdempotencyKey.key)
        old = (
            select(*key)
            .where(IdempotencyKey.claimed_at <= func.now() - KEPT_FOR)
            .limit(self._batch)
            .with_for_update(skip_locked=True)
        )
        gone = delete(IdempotencyKey).where(tuple_(*key).in_(old)).returning(IdempotencyKey.key)
        return len((await self._session.execute(gone)).all())

    async def purge_archives(self) -> int:
        """Also those that were never finished; the bytes go when nothing refers to them."""
        key = (Archive.workspace_id, Archive.id)
        old = select(*key).where(Archive.expires_at < func.now()).limit(self._batch)
        gone = delete(Archive).where(tuple_(*key).in_(old)).returning(Archive.id)
        return len((await self._session.execute(gone)).all())

    async def purge_deliveries(self) -> int:
        """The log of a webhook is as long as things can be restored; what is still tried stays."""
        old = (
            select(Delivery.workspace_id, Delivery.id)
            .where(Delivery.created_at < func.now() - self._age, Delivery.status != DeliveryStatus.PENDING)
            .limit(self._batch)
            .with_for_update(skip_locked=True)
        )
        key = tuple_(Delivery.workspace_id, Delivery.id)
        gone = await self._session.execute(delete(Delivery).where(key.in_(old)).returning(Delivery.id))
        return len(gone.all())

    async def purge_webhooks(self) -> int:
        """With what was sent to them."""
        return await self._purge_with(
            Webhook, self._is_old(Webhook.deleted_at), Delivery, Delivery.webhook_id
        )

    async def purge_hooks(self) -> int:
        """With what they have taken."""
        is_old = self._is_old(Hook.deleted_at)
        return await self._purge_with(Hook, is_old, ReceivedMessage, ReceivedMessage.hook_id)

    async def purge_imports(self) -> int:
        """Those that have ended, or wait in vain for a file; what they have made stays."""
        is_old = and_(self._is_old(Import.updated_at), Import.status.not_in(UNDER_WAY))
        return await self._purge_with(Import, is_old, ImportFault, ImportFault.import_id)

    async def _purge_tasks(self, are_old: ColumnElement[bool]) -> int:
        """With what was said or put there. Each reason has its index; all in one would read every task."""
        gone = (
            select(Task.workspace_id, Task.id)
            .join(Project, (Project.workspace_id == Task.workspace_id) & (Project.id == Task.project_id))
            .join(Workspace, Workspace.id == Task.workspace_id)
            .where(are_old)
            # A task that is being restored right now would else be deleted after that.
            .with_for_update(of=Task, skip_locked=True)
            .limit(self._batch)
        )
        tasks = [(row[0], row[1]) for row in await self._session.execute(gone)]
        for part in (Comment, Attachment, TaskLink):
            is_about = tuple_(part.workspace_id, part.task_id).in_(tasks)
            await self._blank(select(part.workspace_id, part.id).where(is_about))
        return await self._purge(Task, tasks)

    async def _purge_with(self, table: Any, is_old: ColumnElement[bool], part: Any, owner_id: Any) -> int:
        """Delete the parts first, a batch at a time, so that no cascade is a large one."""
        old = select(table.workspace_id, table.id).where(is_old).limit(self._batch)
        gone = [(row[0], row[1]) for row in await self._session.execute(old)]
        its = tuple_(part.workspace_id, owner_id).in_(gone)
        key = part.__table__.primary_key.columns
        some = select(*key).where(its).limit(self._batch)
        left = await self._session.execute(
            delete(part).where(tuple_(*key).in_(some)).returning(part.workspace_id)
        )
        if len(left.all()) == self._batch:
            return self._batch
        return await self._purge(table, gone)

    async def _purge(self, table: Any, gone: Sequence[tuple[UUID, UUID]]) -> int:
        """The events keep their place in the sequence, and lose what they held."""
        await self._session.execute(delete(table).where(tuple_(table.workspace_id, table.id).in_(gone)))
        await self._blank(gone)
        return len(gone)

    async def _blank(self, subjects: Any) -> None:
        await self._session.execute(
            update(WorkspaceEvent)
            .where(tuple_(WorkspaceEvent.workspace_id, WorkspaceEvent.subject_id).in_(subjects))
            .values(before=None, after=None)
        )

    def _is_old(self, deleted_at: Any) -> ColumnElement[bool]:
        return deleted_at < func.now() - self._age  # type: ignore[no-any-return]
