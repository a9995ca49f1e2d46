"""What follows what happens to a second factor: its owner is told."""

from typing import Any

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter
from glasswork.features.accounts.service import UserLookup
from glasswork.features.credentials.jobs import A_DAY

from .service import TotpService


async def tell_of_enabled(work: Work, event: EventRef) -> None:
    await _tell(work, event, "Your second factor is on", "enabled")


async def tell_of_disabled(work: Work, event: EventRef) -> None:
    await _tell(work, event, "Your second factor was taken off", "disabled")


async def tell_of_renewed(work: Work, event: EventRef) -> None:
    await _tell(work, event, "You have new recovery codes", "renewed")


async def tell_of_used(work: Work, event: EventRef) -> None:
    async with work.resources.database.reading() as session:
        left = await TotpService(session, work.resources.keys).count_left(event.subject_id)
    await _tell(work, event, "A recovery code of yours was used", "used", left=left)


async def _tell(work: Work, event: EventRef, subject: str, template: str, **words: Any) -> None:
    async with work.resources.database.reading() as session:
        user = await UserLookup(session).find_active(event.subject_id)
    if user is None:
        return
    all_words = {"api": work.resources.api_url, "name": user.name, **words}
    letter = Letter(event.id, user.email, subject, f"second_factors/emails/{template}", all_words)
    await work.resources.mailer.send(work, letter)


TELL_OF_ENABLED = Job("second_factors.tell_of_enabled", EventRef, tell_of_enabled, max_attempts=A_DAY)
TELL_OF_DISABLED = Job("second_factors.tell_of_disabled", EventRef, tell_of_disabled, max_attempts=A_DAY)
TELL_OF_RENEWED = Job("second_factors.tell_of_renewed", EventRef, tell_of_renewed, max_attempts=A_DAY)
TELL_OF_USED = Job("second_factors.tell_of_used", EventRef, tell_of_used, max_attempts=A_DAY)
