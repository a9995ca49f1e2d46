from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.features.projects.access import lock_projects
from glasswork.features.tasks.access import lock_families


class BulkRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_tasks(
        self, actor: Actor, workspace_id: UUID, task_ids: Collection[UUID]
    ) -> dict[UUID, UUID]:
        """Lock them and what is below them; return the project of each that the workspace has."""
        tasks = await lock_families(self._session, actor, task_ids)
        return {task.id: task.project_id for task in tasks if task.workspace_id == workspace_id}

    async def lock_projects(self, workspace_id: UUID, project_ids: Collection[UUID]) -> set[UUID]:
        return await lock_projects(self._session, workspace_id, project_ids)
