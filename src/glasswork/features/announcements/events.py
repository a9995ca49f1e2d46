from glasswork.core.events import Created

from .schemas import AnnouncementRead


class AnnouncementCreated(Created):
    """The only event of an announcement: how far it came, and that it is sent, is told by itself."""

    type = "announcement.created"
    schema = AnnouncementRead
