from collections.abc import Iterable

from glasswork.core.errors import ConflictError
from glasswork.features.workspaces.models import Workspace


class OnlyOwnerError(ConflictError):
    """Others would be left in a workspace that nobody owns."""

    code = "LAST_OWNER"

    def __init__(self, workspaces: Iterable[Workspace]) -> None:
        named = [{"id": str(workspace.id), "name": workspace.name} for workspace in workspaces]
        super().__init__("You are the only owner of workspaces that have other members.", workspaces=named)


class LastAdminError(ConflictError):
    code = "LAST_ADMIN"

    def __init__(self) -> None:
        super().__init__("You are the only admin of this installation.")
