from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import ReportRead


class _OfReport(Event):
    schema = ReportRead


class ReportCreated(_OfReport, Created):
    type = "report.created"


class ReportUpdated(_OfReport, Updated):
    type = "report.updated"


class ReportDeleted(_OfReport, Deleted):
    type = "report.deleted"
