from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Table, bindparam, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.schemas import Text
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import lock_projects
from glasswork.features.projects.models import Label, Project, Status
from glasswork.features.tasks.access import TASKS, Family, change_tasks, lock_family, lock_task
from glasswork.features.tasks.models import FormerKey, Task, TaskLabel
from glasswork.features.workspaces.models import Role

_SORT_KEYS = {
    "position": SortKey.of(Task.position, Text),
    "created_at": SortKey.of(Task.created_at, AwareDatetime),
}
_Part = aliased(Task)


def _parts_of(task_id: UUID) -> Any:
    counted = select(func.count(_Part.completed_at).label("done"), func.count().label("total"))
    return counted.where(_Part.parent_id == task_id, _Part.deleted_at.is_(None))


class PlacementRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, actor: Actor, task_id: UUID) -> tuple[Task, Role]:
        task, role, _ = await lock_task(self._session, actor, task_id)
        return task, role

    async def lock_family(self, actor: Actor, task_id: UUID) -> Family:
        return await lock_family(self._session, actor, task_id)

    async def lock_projects(self, workspace_id: UUID, project_ids: Collection[UUID]) -> set[UUID]:
        return await lock_projects(self._session, workspace_id, project_ids)

    async def get_all(self, actor: Actor, task_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """Those of them that are there, in the order of their ids."""
        statement = TASKS.where(Task.id.in_(task_ids)).order_by(Task.id)
        return (await self._session.execute(statement, actor.binds)).all()

    async def change_all(self, task_ids: Collection[UUID], **values: Any) -> None:
        await change_tasks(self._session, task_ids, **values)

    async def find_position(self, project_id: UUID, task_id: UUID) -> str | None:
        statement = select(Task.position).where(
            Task.project_id == project_id, Task.id == task_id, Task.deleted_at.is_(None)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def positions_behind(self, task: Task, position: str) -> AnyRow:
        """Return the `next` position that is another task's, and that of the next that is `standing`.

        A deleted task keeps its place, since it may come back; an archived one is still seen there.
        """
        behind = (
            select(Task.position)
            .where(
                Task.workspace_id == task.workspace_id,
                Task.project_id == task.project_id,
                Task.position > position,
            )
            .order_by(Task.position)
            .limit(1)
        )
        statement = select(
            behind.where(Task.id != task.id).scalar_subquery().label("next"),
            behind.where(Task.deleted_at.is_(None)).scalar_subquery().label("standing"),
        )
        return (await self._session.execute(statement)).one()

    async def statuses(self, project_ids: Collection[UUID]) -> Sequence[Status]:
        statement = select(Status).where(Status.project_id.in_(project_ids)).order_by(Status.position)
        return (await self._session.scalars(statement)).all()

    async def take_numbers(self, project_id: UUID, count: int) -> int:
        """Return the first of as many numbers in a row."""
        statement = (
            update(Project)
            .where(Project.id == project_id)
            .values(last_number=Project.last_number + count, updated_at=Project.updated_at)
            .returning(Project.last_number)
            .execution_options(synchronize_session=False)
        )
        return (await self._session.execute(statement)).scalar_one() - count + 1

    async def keep_keys(self, tasks: Collection[AnyRow]) -> None:
        names = "workspace_id", "project_id", "number"
        rows = [{name: getattr(task, name) for name in names} | {"task_id": task.id} for task in tasks]
        await self._session.execute(insert(FormerKey), rows)

    async def place(self, places: Sequence[dict[str, Any]]) -> None:
        """Each has a `task_id` and the new values of the columns."""
        table = cast(Table, Task.__table__)
        names = [name for name in places[0] if name != "task_id"]
        statement = (
            update(table)
            .where(table.c.id == bindparam("task_id"))
            .values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})
            .values(version=table.c.version + 1, updated_at=func.now())
        )
        rows = [
            {name if name == "task_id" else f"new_{name}": value for name, value in place.items()}
            for place in places
        ]
        await self._session.execute(statement, rows)

    async def exchange_labels(self, task_ids: Collection[UUID], source_id: UUID, target_id: UUID) -> None:
        """Labels of the one project give way to those of the same name in the other, where there are such."""
        old, new = aliased(Label), aliased(Label)
        worn = TaskLabel.task_id.in_(task_ids)
        counterparts = (
            select(TaskLabel.workspace_id, TaskLabel.task_id, new.id)
            .join(old, (old.workspace_id == TaskLabel.workspace_id) & (old.id == TaskLabel.label_id))
            .join(
                new, (new.workspace_id == old.workspace_id) & (func.lower(new.name) == func.lower(old.name))
            )
            .where(worn, old.project_id == source_id, new.project_id == target_id)
            .with_for_update(read=True, key_share=True, of=new)  # one that is just being deleted is none
        )
        columns = ["workspace_id", "task_id", "label_id"]
        await self._session.execute(
            insert(TaskLabel).from_select(columns, counterparts).on_conflict_do_nothing()
        )
        of_source = select(Label.id).where(Label.project_id == source_id)
        await self._session.execute(delete(TaskLabel).where(worn, TaskLabel.label_id.in_(of_source)))

    async def subtasks(self, actor: Actor, task_id: UUID, query: PageQuery) -> Page[AnyRow]:
        """Each row tells the progress of all, too: `done` and `total`."""
        progress = _parts_of(task_id).subquery("progress")
        statement = (
            TASKS.add_columns(progress.c.done, progress.c.total)
            .join(progress, true())
            .where(Task.parent_id == task_id)
        )
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Task.id, actor.binds)

    async def progress(self, task_id: UUID) -> AnyRow:
        return (await self._session.execute(_parts_of(task_id))).one()
