from typing import Any

from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import MemberRead, WorkspaceRead


class _OfWorkspace(Event):
    schema = WorkspaceRead

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": resource.id, "subject_id": resource.id}


class WorkspaceCreated(_OfWorkspace, Created):
    type = "workspace.created"


class WorkspaceUpdated(_OfWorkspace, Updated):
    type = "workspace.updated"


class WorkspaceDeleted(_OfWorkspace, Deleted):
    type = "workspace.deleted"


class OfMember(Event):
    schema = MemberRead

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": resource.workspace_id, "subject_id": resource.user_id}


class MemberCreated(OfMember, Created):
    type = "member.created"
