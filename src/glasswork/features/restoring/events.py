from typing import Any

from glasswork.core.events import Created

from .schemas import RestoredArchive


class ArchiveImported(Created):
    """Of the installation: a workspace came in as it was elsewhere."""

    type = "archive.imported"
    schema = RestoredArchive

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": None, "subject_id": resource.workspace_id}
