"""The projects that the actor may see, with the role there; and how they are locked."""

from collections.abc import Collection
from typing import NoReturn
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.statements import AnyRow, Read
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.workspaces.access import access as workspace_access

from .errors import ProjectNotFoundError
from .models import Project

access = (
    select(Project.workspace_id, Project.id.label("project_id"), Project.key, workspace_access.c.role)
    .join(workspace_access, workspace_access.c.workspace_id == Project.workspace_id)
    .where(Project.deleted_at.is_(None))
    .subquery("project_access")
)
"""`workspace_id`, `project_id`, `key`, `role`."""

_ACCESS = Read(select(access, func.now().label("now")).where(access.c.project_id == bindparam("project_id")))


async def access_to(session: AsyncSession, actor: Actor, project_id: UUID) -> AnyRow:
    """Return the project's `workspace_id` and `key`, the actor's `role` there, and what time is `now`."""
    binds = actor.binds | {"project_id": project_id}
    row = await _ACCESS.find(session, binds)
    return row if row is not None else await miss(session, actor, project_id)


async def miss(session: AsyncSession, actor: Actor, project_id: UUID) -> NoReturn:
    """Say why there is no such project for the actor."""
    await ensure_signed_in(session, actor)
    raise ProjectNotFoundError(project_id)


async def lock_projects(
    session: AsyncSession, workspace_id: UUID, project_ids: Collection[UUID]
) -> set[UUID]:
    """Lock those of the workspace that stand, behind the locks of tasks, and return their ids.

    Who changes a project's order, its tree or its numbers waits; a foreign key to it does not.
    """
    statement = (
        select(Project.id)
        .where(
            Project.workspace_id == workspace_id,
            Project.id.in_(project_ids),
            Project.deleted_at.is_(None),
        )
        .order_by(Project.id)
        .with_for_update(key_share=True)
    )
    return set((await session.scalars(statement)).all())
