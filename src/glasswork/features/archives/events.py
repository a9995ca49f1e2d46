from glasswork.core.events import Created, Deleted, Event

from .schemas import ArchiveRead


class _OfArchive(Event):
    schema = ArchiveRead


class ArchiveCreated(_OfArchive, Created):
    """How far it came is told by the archive itself."""

    type = "archive.created"


class ArchiveDeleted(_OfArchive, Deleted):
    type = "archive.deleted"


OWN_EVENTS = (ArchiveCreated.type, ArchiveDeleted.type)
