from glasswork.core.events import Created

from .schemas import ExportStored


class ExportCreated(Created):
    """A read that is written down: it takes out everything at once."""

    schema = ExportStored
    type = "export.created"
