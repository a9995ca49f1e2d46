from glasswork.core.events import Created, Deleted, Event

from .schemas import CalendarFeedRead


class _OfCalendarFeed(Event):
    schema = CalendarFeedRead


class CalendarFeedCreated(_OfCalendarFeed, Created):
    type = "calendar_feed.created"


class CalendarFeedDeleted(_OfCalendarFeed, Deleted):
    type = "calendar_feed.deleted"
