from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Row,
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

from glasswork.core.db import AnyRow
from glasswork.core.events import InstallationEvent, WorkspaceEvent
from glasswork.core.guessing import FORGOTTEN_AFTER, KNOWN_FOR, GuessCount
from glasswork.core.jobs import SCHEMA, DoneJob
from glasswork.core.mail import KeptMail
from glasswork.core.models import Base
from glasswork.features.accounts.events import UserUpdated
from glasswork.features.accounts.models import User
from glasswork.features.announcements.models import Announcement, AnnouncementLetter
from glasswork.features.comments.models import Comment, CommentReaction
from glasswork.features.credentials.models import OneTimeToken
from glasswork.features.idempotency.models import KEPT_FOR, IdempotencyKey
from glasswork.features.invitations.events import InvitationDeleted
from glasswork.features.invitations.models import Invitation
from glasswork.features.projects.events import LabelDeleted
from glasswork.features.projects.models import Project
from glasswork.features.tasks.models import Task
from glasswork.features.workflow.events import StatusDeleted
from glasswork.features.workspaces.models import Membership, Role, Workspace

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
        """Also those whose project or workspace is gone; with what was said about them."""
        gone = (
            select(Task.workspace_id, Task.id)
            .join(Project, (Project.workspace_id == Task.workspace_id) & (Project.id == Task.project_id))
            .join(Workspace, Workspace.id == Task.workspace_id)
            .where(or_(*(self._is_old(table.deleted_at) for table in (Task, Project, Workspace))))
            # A task that is being restored right now would else be deleted after that.
            .with_for_update(of=Task, skip_locked=True)
            .limit(self._batch)
        )
        tasks = [(row[0], row[1]) for row in await self._session.execute(gone)]
        is_about = tuple_(Comment.workspace_id, Comment.task_id).in_(tasks)
        await self._blank(select(Comment.workspace_id, Comment.id).where(is_about))
        return await self._purge(Task, tasks)

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

    async def purge_labels_and_invitations(self) -> int:
        """They are deleted at once; only what their events held is left."""
        gone = (
            select(WorkspaceEvent.workspace_id, WorkspaceEvent.subject_id)
            .where(
                WorkspaceEvent.type.in_((LabelDeleted.type, StatusDeleted.type, InvitationDeleted.type)),
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

    async def _purge(self, table: type[Comment | Task | Project], gone: Sequence[tuple[UUID, UUID]]) -> int:
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

    def _is_old(self, moment: Any) -> ColumnElement[bool]:
        return moment < func.now() - self._age  # type: ignore[no-any-return]


class PersonalDataRepository:
    """What names a person, wherever it stands."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_workspaces(self, user_id: UUID) -> Sequence[Workspace]:
        """Those of the user, in one order for all; what they hold is read after that."""
        mine = select(Membership.workspace_id).where(
            Membership.user_id == user_id, Membership.removed_at.is_(None)
        )
        statement = (
            select(Workspace)
            .where(Workspace.id.in_(mine), Workspace.deleted_at.is_(None))
            .order_by(Workspace.id)
            .with_for_update(key_share=True)
        )
        return (await self._session.scalars(statement)).all()

    async def companies(self, user_id: UUID, workspace_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """Return `workspace_id`, `is_owner`, and the numbers of `others` and `other_owners`."""
        is_me, owns = Membership.user_id == user_id, Membership.role == Role.OWNER
        statement = (
            select(
                Membership.workspace_id,
                func.bool_or(and_(is_me, owns)).label("is_owner"),
                func.count().filter(~is_me).label("others"),
                func.count().filter(~is_me, owns).label("other_owners"),
            )
            .where(Membership.workspace_id.in_(workspace_ids), Membership.removed_at.is_(None))
            .group_by(Membership.workspace_id)
            .having(func.bool_or(is_me))
        )
        return (await self._session.execute(statement)).all()

    async def lock_memberships(self, user_id: UUID, workspace_ids: Collection[UUID]) -> Sequence[Membership]:
        statement = select(Membership).where(
            Membership.user_id == user_id, Membership.workspace_id.in_(workspace_ids)
        )
        return (await self._session.scalars(statement.with_for_update())).all()

    async def find_addresses(self, user: User) -> Collection[str]:
        """Return the present one, and former ones that are nobody else's by now, in small letters."""
        former = func.lower(InstallationEvent.before["email"].astext)
        is_taken = select(User.id).where(func.lower(User.email) == former).exists()
        statement = select(former).where(
            InstallationEvent.subject_id == user.id,
            InstallationEvent.type == UserUpdated.type,
            former.is_not(None),
            ~is_taken,
        )
        return {user.email.lower(), *(await self._session.scalars(statement)).all()}

    async def lock_invitations(self, addresses: Collection[str]) -> Sequence[Row[Invitation, bool]]:
        """Return all that there ever were to the addresses, and whether each waits for an answer."""
        is_pending = and_(
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > func.now(),
        )
        statement = select(Invitation, is_pending).where(func.lower(Invitation.email).in_(addresses))
        return (await self._session.execute(statement.order_by(Invitation.id).with_for_update())).all()

    async def blank_events(self, user_id: UUID, invitations: Collection[tuple[UUID, UUID]]) -> None:
        """Events keep their place, and lose what they held of the user and of invitations."""
        event = InstallationEvent
        is_of_mine = func.coalesce(event.after, event.before)["user_id"].astext == str(user_id)
        # What an admin has looked at names nobody, and is to be known.
        is_mine = or_(
            and_(event.subject_id == user_id, event.type.not_like("operations.%")),
            and_(event.actor_id == user_id, is_of_mine),
        )
        blank = {"before": None, "after": None}
        await self._session.execute(update(event).where(is_mine).values(blank))
        joined = select(Membership.workspace_id).where(Membership.user_id == user_id)
        place = tuple_(WorkspaceEvent.workspace_id, WorkspaceEvent.subject_id)
        for found in (
            and_(WorkspaceEvent.workspace_id.in_(joined), WorkspaceEvent.subject_id == user_id),
            place.in_(invitations),
        ):
            await self._session.execute(update(WorkspaceEvent).where(found).values(blank))

    async def forget(self, user_id: UUID, addresses: Collection[str]) -> None:
        """Sessions, tokens, mail: what would go with the user's row goes, although the row stays."""
        for owner in _owners():
            await self._session.execute(delete(owner.table).where(owner == user_id))
        await self._session.execute(delete(KeptMail).where(func.lower(KeptMail.recipient).in_(addresses)))


def _owners() -> Iterator[Column[Any]]:
    """The columns that say whose a row is."""
    for each in Base.metadata.tables.values():
        for key in each.foreign_keys:
            if key.column is User.__table__.c.id and key.ondelete == "CASCADE":
                yield key.parent
