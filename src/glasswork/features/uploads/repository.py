from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.features.attachments.models import Attachment
from glasswork.features.tasks.access import lock_task
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.models import Role


class UploadRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_task(self, actor: Actor, task_id: UUID) -> tuple[Task, Role]:
        task, role, _ = await lock_task(self._session, actor, task_id)
        return task, role

    async def find_named(self, task: Task, name: str) -> Attachment | None:
        """Lock it, behind its task: who deletes it, or makes its thumbnail, locks it alone."""
        statement = (
            select(Attachment)
            .where(
                Attachment.workspace_id == task.workspace_id,
                Attachment.task_id == task.id,
                Attachment.name == name,
            )
            .with_for_update()
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def used(self, workspace_id: UUID) -> int:
        """Return the bytes of the workspace's attachments."""
        statement = select(func.coalesce(func.sum(Attachment.size), 0)).where(
            Attachment.workspace_id == workspace_id
        )
        return int((await self._session.execute(statement)).scalar_one())

    async def lock_usage(self, workspace_id: UUID) -> None:
        """Until the commit nobody else adds to what the workspace uses."""
        key = func.hashtextextended(f"attachments {workspace_id}", 0)
        await self._session.execute(select(func.pg_advisory_xact_lock(key)))

    async def add(self, attachment: Attachment) -> None:
        self._session.add(attachment)
        await self._session.flush()

    async def flush(self) -> None:
        await self._session.flush()
