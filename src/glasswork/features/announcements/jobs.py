"""What follows an announcement: a letter to everybody whom it is for."""

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.outbox import Outbox
from glasswork.features.credentials.jobs import A_DAY

from .service import DeliveryService


async def send_announcement(work: Work, event: EventRef) -> None:
    """A part of it, and an order for the next one, until all is sent."""
    delivery = DeliveryService(work.resources.database, work.resources.mailer, work.id)
    if await delivery.send(event.subject_id):
        async with work.once() as session:
            Outbox(session).order(SEND_ANNOUNCEMENT, event)


SEND_ANNOUNCEMENT = Job("announcements.send", EventRef, send_announcement, max_attempts=A_DAY)
