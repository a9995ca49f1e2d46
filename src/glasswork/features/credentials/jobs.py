"""What follows what happens to accounts: mail to their owners."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.service import UserLookup

from .service import AddressService, PasswordService, VerificationService

# So many attempts take about a day.
A_DAY = 26
HALF_AN_HOUR = 17
"""A token that is no longer valid need not arrive."""


async def send_welcome(work: Work, event: EventRef) -> None:
    async with work.resources.database.transaction() as session:
        issued = await VerificationService(session, work.resources.keys).issue(event.subject_id, event.id)
    if issued is not None:
        user, token = issued
        words = {"name": user.name, "token": token}
        await _send(work, event.id, user.email, "Welcome to Glasswork", "welcome", words)


async def send_reset(work: Work, event: EventRef) -> None:
    async with work.resources.database.transaction() as session:
        rules = PasswordRules.of(work.resources.settings)
        issued = await PasswordService(session, work.resources.keys, rules).issue(event.subject_id, event.id)
    if issued is not None:
        user, token = issued
        words = {"name": user.name, "token": token}
        await _send(work, event.id, user.email, "Set a new password", "reset", words)


async def send_confirmation(work: Work, event: EventRef) -> None:
    async with work.resources.database.transaction() as session:
        issued = await AddressService(session, work.resources.keys).issue(event.subject_id, event.id)
    if issued is not None:
        user, address, token = issued
        words = {"name": user.name, "token": token}
        await _send(work, event.id, address, "Confirm your new address", "new_address", words)


async def tell_of_change(work: Work, event: EventRef) -> None:
    await _tell(work, event, "Your password was changed", "password_changed")


async def tell_of_reuse(work: Work, event: EventRef) -> None:
    await _tell(work, event, "Somebody used an old session of yours", "session_reused")


async def _tell(work: Work, event: EventRef, subject: str, template: str) -> None:
    async with work.resources.database.reading() as session:
        user = await UserLookup(session).find_active(event.subject_id)
    if user is not None:
        await _send(work, event.id, user.email, subject, template, {"name": user.name})


async def _send(
    work: Work, letter_id: UUID, address: str, subject: str, template: str, words: Mapping[str, Any]
) -> None:
    all_words = {"api": work.resources.api_url, **words}
    letter = Letter(letter_id, address, subject, f"credentials/emails/{template}", all_words)
    await work.resources.mailer.send(work, letter)


SEND_WELCOME = Job("credentials.send_welcome", EventRef, send_welcome, max_attempts=A_DAY)
SEND_RESET = Job("credentials.send_reset", EventRef, send_reset, max_attempts=HALF_AN_HOUR)
SEND_CONFIRMATION = Job("credentials.send_confirmation", EventRef, send_confirmation, max_attempts=A_DAY)
TELL_OF_CHANGE = Job("credentials.tell_of_change", EventRef, tell_of_change, max_attempts=A_DAY)
TELL_OF_REUSE = Job("credentials.tell_of_reuse", EventRef, tell_of_reuse, max_attempts=A_DAY)
