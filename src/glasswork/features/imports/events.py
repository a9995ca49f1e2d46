from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import ImportRead


class _OfImport(Event):
    schema = ImportRead


class ImportCreated(_OfImport, Created):
    type = "import.created"


class ImportUpdated(_OfImport, Updated):
    type = "import.updated"


class ImportDeleted(_OfImport, Deleted):
    type = "import.deleted"
