"""What follows what happens to accounts."""

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter

from .service import VerificationService


async def send_welcome(work: Work, event: EventRef) -> None:
    async with work.resources.database.transaction() as session:
        service = VerificationService(session, work.resources.keys)
        user, token = await service.issue(event.subject_id, event.id)
    words = {"name": user.name, "token": token, "api": work.resources.api_url}
    letter = Letter(event.id, user.email, "Welcome to Glasswork", "accounts/emails/welcome", words)
    await work.resources.mailer.send(work, letter)


# So many attempts take about a day.
SEND_WELCOME = Job("accounts.send_welcome", EventRef, send_welcome, max_attempts=26)
