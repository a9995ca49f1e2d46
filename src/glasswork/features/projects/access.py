"""The projects that the actor may see, with the role there."""

from sqlalchemy import select

from glasswork.features.workspaces.access import access as workspace_access

from .models import Project

access = (
    select(Project.workspace_id, Project.id.label("project_id"), Project.key, workspace_access.c.role)
    .join(workspace_access, workspace_access.c.workspace_id == Project.workspace_id)
    .where(Project.deleted_at.is_(None))
    .subquery("project_access")
)
"""`workspace_id`, `project_id`, `key`, `role`."""
