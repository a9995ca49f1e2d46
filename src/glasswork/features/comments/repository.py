from collections.abc import Collection
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field
from sqlalchemy import DateTime, Row, and_, bindparam, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import WorkspaceEvent
from glasswork.core.filtering import any_of
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.accounts.models import User
from glasswork.features.projects.access import access
from glasswork.features.tasks.access import lock_task
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.access import access as workspace_access
from glasswork.features.workspaces.models import Membership, Role

from .access import COMMENTS, COMMENTS_IN_HTML
from .errors import CommentNotFoundError
from .events import CommentUpdated
from .models import Comment, CommentReaction, Reaction
from .schemas import CommentQuery

_ONE = {
    is_html: statement.where(Comment.id == bindparam("comment_id"))
    for is_html, statement in ((False, COMMENTS), (True, COMMENTS_IN_HTML))
}
_SORT_KEYS = {"created_at": SortKey.of(Comment.created_at, AwareDatetime)}

_was = WorkspaceEvent.before
_VERSIONS = (
    select(
        WorkspaceEvent.seq,
        _was["version"].as_integer().label("version"),
        Comment.author_id,
        _was["body"].as_string().label("body"),
        func.coalesce(cast(_was["edited_at"].as_string(), DateTime(timezone=True)), Comment.created_at).label(
            "written_at"
        ),
        WorkspaceEvent.at.label("replaced_at"),
    )
    .select_from(Comment)
    .join(Task, and_(Task.workspace_id == Comment.workspace_id, Task.id == Comment.task_id))
    .join(access, access.c.project_id == Task.project_id)
    .join(
        WorkspaceEvent,
        and_(
            WorkspaceEvent.workspace_id == Comment.workspace_id,
            WorkspaceEvent.subject_id == Comment.id,
            WorkspaceEvent.type == CommentUpdated.type,
            _was.has_key("body"),
        ),
    )
    .where(Comment.deleted_at.is_(None), Task.deleted_at.is_(None))
)
_VERSION_SORT_KEYS = {"seq": SortKey.of(WorkspaceEvent.seq, Annotated[int, Field(ge=0, lt=2**63)])}


class CommentRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, comment_id: UUID, *, html: bool = False) -> AnyRow:
        binds = actor.binds | {"comment_id": comment_id}
        row = (await self._session.execute(_ONE[html], binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise CommentNotFoundError(comment_id)
        return row

    async def page(self, actor: Actor, task_id: UUID, query: CommentQuery) -> Page[AnyRow]:
        statement = (COMMENTS_IN_HTML if query.html else COMMENTS).where(
            Comment.task_id == task_id, *any_of(Comment.reply_to_id, query.reply_to_id)
        )
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Comment.id, actor.binds)

    async def versions(self, actor: Actor, comment_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _VERSIONS.where(Comment.id == comment_id)
        return await fetch_page(
            self._session, statement, query, _VERSION_SORT_KEYS, WorkspaceEvent.id, actor.binds
        )

    async def lock_task(self, actor: Actor, task_id: UUID) -> Role:
        _, role, _ = await lock_task(self._session, actor, task_id)
        return role

    async def lock(self, actor: Actor, comment_id: UUID) -> Row[Comment, Role]:
        """Deleted or not; whether its task stands, a read after it tells."""
        statement = (
            select(Comment, workspace_access.c.role)
            .join(workspace_access, workspace_access.c.workspace_id == Comment.workspace_id)
            .where(Comment.id == comment_id)
            .with_for_update(of=Comment, key_share=True)
            .execution_options(populate_existing=True)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise CommentNotFoundError(comment_id)
        return row

    async def has_thread(self, task_id: UUID, comment_id: UUID) -> bool:
        """Whether there may be replies to it."""
        statement = select(Comment.id).where(
            Comment.id == comment_id,
            Comment.task_id == task_id,
            Comment.reply_to_id.is_(None),
            Comment.deleted_at.is_(None),
        )
        return (await self._session.execute(statement)).first() is not None

    async def member_ids(self, workspace_id: UUID, usernames: Collection[str]) -> dict[str, UUID]:
        """By the username in small letters; of those who are members."""
        name = func.lower(User.username)
        statement = (
            select(name, User.id)
            .join(Membership, Membership.user_id == User.id)
            .where(
                Membership.workspace_id == workspace_id,
                Membership.removed_at.is_(None),
                name.in_(usernames),
            )
        )
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def add(self, comment: Comment) -> None:
        self._session.add(comment)
        await self.flush()

    async def flush(self) -> None:
        await self._session.flush()

    async def add_reaction(self, comment: Comment, user_id: UUID, reaction: Reaction) -> bool:
        """Return whether it was not there yet."""
        row = {
            "workspace_id": comment.workspace_id,
            "comment_id": comment.id,
            "user_id": user_id,
            "reaction": reaction,
        }
        added = insert(CommentReaction).values(row).on_conflict_do_nothing()
        return (await self._session.execute(added.returning(CommentReaction.user_id))).first() is not None

    async def remove_reaction(self, comment: Comment, user_id: UUID, reaction: Reaction) -> bool:
        """Return whether it was there."""
        removed = delete(CommentReaction).where(
            CommentReaction.workspace_id == comment.workspace_id,
            CommentReaction.comment_id == comment.id,
            CommentReaction.user_id == user_id,
            CommentReaction.reaction == reaction,
        )
        return (await self._session.execute(removed.returning(CommentReaction.user_id))).first() is not None
