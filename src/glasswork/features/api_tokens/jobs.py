"""What follows when a token is made: its owner is told."""

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter
from glasswork.features.credentials.jobs import A_DAY

from .service import ApiTokenService


async def tell_of_token(work: Work, event: EventRef) -> None:
    async with work.resources.database.reading() as session:
        token = await ApiTokenService(session).find_with_owner(event.subject_id)
    if token is None:
        return
    words = {
        "api": work.resources.api_url,
        "name": token.owner_name,
        "token_id": token.id,
        "token_name": token.name,
        "scopes": ", ".join(token.scopes),
    }
    letter = Letter(event.id, token.owner_email, "A new API token", "api_tokens/emails/created", words)
    await work.resources.mailer.send(work, letter)


TELL_OF_TOKEN = Job("api_tokens.tell_of_token", EventRef, tell_of_token, max_attempts=A_DAY)
