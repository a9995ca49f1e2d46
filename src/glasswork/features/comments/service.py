from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core import markdown
from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.models import Role

from . import policy
from .errors import CommentNotFoundError, unknown_comment
from .events import CommentCreated, CommentDeleted, CommentRestored, CommentUpdated
from .models import Comment, Reaction
from .repository import CommentRepository
from .schemas import MOST_MENTIONS, CommentCreate, CommentQuery, CommentUpdate, VersionQuery


class CommentService:
    """What people say to each other about a task, in threads of one level."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._comments = CommentRepository(session)
        self._tasks = TaskService(session)
        self._outbox = Outbox(session)

    async def page(self, actor: Actor, task_id: UUID, query: CommentQuery) -> Page[AnyRow]:
        page = await self._comments.page(actor, task_id, query)
        if not page.items:
            await self._tasks.get(actor, task_id)
        return page

    async def get(self, actor: Actor, comment_id: UUID, *, html: bool = False) -> AnyRow:
        return await self._comments.get(actor, comment_id, html=html)

    async def versions(self, actor: Actor, comment_id: UUID, query: VersionQuery) -> Page[AnyRow]:
        """Those of a deleted comment are not for reading."""
        page = await self._comments.versions(actor, comment_id, query)
        if not page.items:
            _ensure_standing(await self._comments.get(actor, comment_id))
        return page

    async def create(self, actor: Actor, task_id: UUID, new: CommentCreate) -> AnyRow:
        role = await self._comments.lock_task(actor, task_id)
        task = await self._tasks.get(actor, task_id)
        require(policy.can_write(role))
        if new.reply_to_id is not None and not await self._comments.has_thread(task_id, new.reply_to_id):
            raise unknown_comment()
        comment = Comment(
            workspace_id=task.workspace_id,
            task_id=task_id,
            reply_to_id=new.reply_to_id,
            author_id=actor.user_id,
        )
        await self._write(comment, new.body)
        await self._comments.add(comment)
        made = await self._comments.get(actor, comment.id)
        self._outbox.record(actor, CommentCreated.of(made))
        return made

    async def update(
        self, actor: Actor, comment_id: UUID, changes: CommentUpdate, precondition: Precondition
    ) -> AnyRow:
        comment, role, before = await self._lock(actor, comment_id)
        require(policy.can_edit(role, comment, actor.user_id))
        fields = changes.sent()
        precondition.check(before, fields)
        if "body" in fields and changes.body != comment.body:
            await self._write(comment, changes.body)
            comment.change({"edited_at": func.now()})
        return await self._store(actor, comment, before)

    async def delete(self, actor: Actor, comment_id: UUID, precondition: Precondition) -> None:
        """Replies stay, and so does its place above them."""
        comment, role, before = await self._lock(actor, comment_id)
        require(policy.can_delete(role, comment, actor.user_id))
        precondition.check(before)
        comment.change({"deleted_at": func.now()})
        await self._comments.flush()
        self._outbox.record(actor, CommentDeleted.of(before))

    async def restore(self, actor: Actor, comment_id: UUID) -> AnyRow:
        comment, role = await self._comments.lock(actor, comment_id)
        if comment.body is None:
            raise CommentNotFoundError(comment_id)
        require(policy.can_delete(role, comment, actor.user_id))
        was_deleted = comment.deleted_at is not None
        comment.change({"deleted_at": None})
        await self._comments.flush()
        restored = await self._comments.get(actor, comment_id)
        self._outbox.record(actor, CommentRestored.of(restored) if was_deleted else None)
        return restored

    async def react(
        self, actor: Actor, comment_id: UUID, reaction: Reaction, precondition: Precondition
    ) -> AnyRow:
        comment, role, before = await self._lock(actor, comment_id)
        require(policy.can_write(role))
        precondition.check(before)
        if await self._comments.add_reaction(comment, actor.user_id, reaction):
            comment.touch()
        return await self._store(actor, comment, before)

    async def take_reaction_back(
        self, actor: Actor, comment_id: UUID, reaction: Reaction, precondition: Precondition
    ) -> AnyRow:
        comment, role, before = await self._lock(actor, comment_id)
        require(policy.can_write(role))
        precondition.check(before)
        if await self._comments.remove_reaction(comment, actor.user_id, reaction):
            comment.touch()
        return await self._store(actor, comment, before)

    async def _lock(self, actor: Actor, comment_id: UUID) -> tuple[Comment, Role, AnyRow]:
        comment, role = await self._comments.lock(actor, comment_id)
        before = await self._comments.get(actor, comment_id)
        _ensure_standing(before)
        return comment, role, before

    async def _write(self, comment: Comment, body: str) -> None:
        document = markdown.read(body)
        mentions: list[UUID] = []
        if document.names:
            members = await self._comments.member_ids(comment.workspace_id, document.names)
            mentions = [members[name] for name in document.names if name in members][:MOST_MENTIONS]
        comment.change({"body": body, "body_html": document.html, "mentions": mentions})

    async def _store(self, actor: Actor, comment: Comment, before: AnyRow) -> AnyRow:
        await self._comments.flush()
        after = await self._comments.get(actor, comment.id)
        self._outbox.record(actor, CommentUpdated.between(CommentUpdated.show(before), after))
        return after


def _ensure_standing(comment: AnyRow) -> None:
    if comment.deleted_at is not None:
        raise CommentNotFoundError(comment.id)
