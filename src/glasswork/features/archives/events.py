from typing import Any

from glasswork.core.events import Created, Deleted, Event

from .schemas import ArchiveImport, ArchiveRead


class _OfArchive(Event):
    schema = ArchiveRead


class ArchiveCreated(_OfArchive, Created):
    """How far it came is told by the archive itself."""

    type = "archive.created"


class ArchiveDeleted(_OfArchive, Deleted):
    type = "archive.deleted"


class ArchiveImported(Created):
    """Of the installation: a workspace came in as it was elsewhere."""

    type = "archive.imported"
    schema = ArchiveImport

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": None, "subject_id": resource.workspace_id}


OWN_EVENTS = (ArchiveCreated.type, ArchiveDeleted.type)
"""In the log of the workspace."""
