"""What follows what happens to tasks: people are told."""

from typing import Any

from glasswork.core.jobs import EventRef, Job, Nothing, Work
from glasswork.core.outbox import Outbox
from glasswork.features.letters.jobs import SEND, NotificationRef

from .policy import is_notable
from .service import NotifyingService


async def notify(work: Work, event: EventRef) -> None:
    async with work.resources.database.system_transaction() as session:
        letters = await NotifyingService(session).follow(event)
        _order(Outbox(session), letters)


async def notify_invited(work: Work, event: EventRef) -> None:
    async with work.resources.database.system_transaction() as session:
        await NotifyingService(session).invite(event)


async def remind(work: Work, _: Nothing) -> None:
    is_more = True
    while is_more:
        async with work.resources.database.system_transaction() as session:
            letters, is_more = await NotifyingService(session).remind()
            _order(Outbox(session), letters)


def _order(outbox: Outbox, letters: Any) -> None:
    for notification_id in letters:
        outbox.order(SEND, NotificationRef(id=notification_id))


NOTIFY = Job("notifying.notify", EventRef, notify, concerns=is_notable)
NOTIFY_INVITED = Job("notifying.notify_invited", EventRef, notify_invited)
REMIND = Job("notifying.remind", Nothing, remind, seconds=600)
