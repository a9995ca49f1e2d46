from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, Uuid, any_, func, literal, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.comments.access import COMMENTS
from glasswork.features.comments.models import Comment
from glasswork.features.projects.models import Project, Status
from glasswork.features.tasks.access import ANCESTRY, TASKS
from glasswork.features.tasks.models import FormerKey, Task, TaskLabel
from glasswork.features.workspaces.models import Membership


class IntakeRepository:
    """Asks for whole batches; a list is one bind parameter, however long."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def statuses(self, project_id: UUID) -> Sequence[Status]:
        statement = select(Status).where(Status.project_id == project_id).order_by(Status.position)
        return (await self._session.scalars(statement)).all()

    async def members(self, workspace_id: UUID, names: Collection[str]) -> dict[str, UUID]:
        """Those who have such a username or address, by both in lower case."""
        wanted = any_(literal([name.lower() for name in names], ARRAY(Text())))
        statement = (
            select(func.lower(User.username), func.lower(User.email), User.id)
            .join(Membership, Membership.user_id == User.id)
            .where(
                Membership.workspace_id == workspace_id,
                Membership.removed_at.is_(None),
                or_(func.lower(User.username) == wanted, func.lower(User.email) == wanted),
            )
        )
        rows = await self._session.execute(statement)
        return {name: row[2] for row in rows for name in row[:2]}

    async def tasks(self, project: AnyRow, source: str, ids: Collection[str]) -> dict[str, Task]:
        """Those of a project that came from the source, deleted or not, by their ids there."""
        there = Task.external["id"].astext
        statement = select(there, Task).where(
            Task.workspace_id == project.workspace_id,  # as the index has it
            Task.project_id == project.project_id,
            Task.external.is_not(None),
            Task.external["source"].astext == source,
            there == any_(literal(list(ids), ARRAY(Text()))),
        )
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def comments(self, task_ids: Collection[UUID], source: str) -> set[tuple[UUID, str]]:
        """The ids in the source of comments of each task, deleted or not."""
        statement = select(Comment.task_id, Comment.external["id"].astext).where(
            Comment.task_id == any_(literal(list(task_ids), ARRAY(Uuid()))),
            Comment.external["source"].astext == source,
        )
        return {(row[0], row[1]) for row in await self._session.execute(statement)}

    async def ancestry(self, task_id: UUID) -> Sequence[AnyRow]:
        return (await self._session.execute(ANCESTRY, {"task_id": task_id})).all()

    async def lock_numbers(self, project_id: UUID) -> int:
        statement = select(Project.last_number).where(Project.id == project_id).with_for_update()
        return (await self._session.execute(statement)).scalar_one()

    async def taken_numbers(self, project_id: UUID, numbers: Collection[int]) -> set[int]:
        """Also of tasks that were moved out: they are still found by them."""
        wanted = any_(literal(list(numbers), ARRAY(Integer())))
        taken = union_all(
            select(Task.number).where(Task.project_id == project_id, Task.number == wanted),
            select(FormerKey.number).where(FormerKey.project_id == project_id, FormerKey.number == wanted),
        )
        return {row[0] for row in await self._session.execute(taken)}

    async def add_tasks(self, project_id: UUID, tasks: Collection[Task], last_number: int) -> None:
        self._session.add_all(tasks)
        await self._session.execute(
            update(Project)
            .where(Project.id == project_id)
            .values(last_number=last_number, updated_at=Project.updated_at)
        )
        await self._session.flush()

    async def add_labels(self, pairs: Iterable[tuple[Task, UUID]]) -> None:
        rows = [
            {"workspace_id": task.workspace_id, "task_id": task.id, "label_id": label_id}
            for task, label_id in pairs
        ]
        if rows:
            await self._session.execute(insert(TaskLabel).on_conflict_do_nothing(), rows)

    async def add_comments(self, comments: Collection[Comment]) -> None:
        self._session.add_all(comments)
        await self._session.flush()

    async def shown_tasks(self, actor: Actor, tasks: Collection[Task]) -> Sequence[AnyRow]:
        ids = literal([task.id for task in tasks], ARRAY(Uuid()))
        statement = TASKS.where(Task.id == any_(ids)).order_by(Task.id)
        return (await self._session.execute(statement, actor.binds)).all()

    async def shown_comments(self, actor: Actor, comments: Collection[Comment]) -> Sequence[AnyRow]:
        ids = literal([comment.id for comment in comments], ARRAY(Uuid()))
        statement = COMMENTS.where(Comment.id == any_(ids)).order_by(Comment.id)
        return (await self._session.execute(statement, actor.binds)).all()
