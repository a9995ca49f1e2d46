"""What follows when a webhook is switched off because it fails: those who own it are told."""

from uuid import UUID

from pydantic import BaseModel

from glasswork.core.events import Fields
from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter
from glasswork.core.outbox import Outbox
from glasswork.features.credentials.jobs import A_DAY

from .models import DisabledReason
from .service import OwnerLookup


class OwnerRef(BaseModel):
    letter_id: UUID
    webhook_id: UUID
    user_id: UUID


async def tell_owners(work: Work, event: EventRef) -> None:
    async with work.once() as session:
        outbox = Outbox(session)
        for number, user_id in enumerate(await OwnerLookup(session).owners(event.subject_id)):
            letter_id = UUID(int=event.id.int ^ number)
            told = OwnerRef(letter_id=letter_id, webhook_id=event.subject_id, user_id=user_id)
            outbox.order(TELL_OWNER, told)


async def tell_owner(work: Work, told: OwnerRef) -> None:
    async with work.resources.database.reading() as session:
        words = await OwnerLookup(session).letter(told.webhook_id, told.user_id)
    if words is None:
        return
    letter = Letter(
        told.letter_id,
        words.email,
        "A webhook was switched off",
        "webhooks/emails/disabled",
        {"api": work.resources.api_url, "webhook_id": told.webhook_id, **words._asdict()},
    )
    await work.resources.mailer.send(work, letter)


def is_fault(_: Fields | None, after: Fields | None) -> bool:
    return (after or {}).get("disabled_reason") in {DisabledReason.FAILING, DisabledReason.GONE}


TELL_OWNERS = Job("webhooks.tell_owners", EventRef, tell_owners, concerns=is_fault)
TELL_OWNER = Job("webhooks.tell_owner", OwnerRef, tell_owner, max_attempts=A_DAY)
