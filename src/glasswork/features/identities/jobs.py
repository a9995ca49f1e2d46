"""What follows when an identity is linked: the account's owner is told."""

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter
from glasswork.features.credentials.jobs import A_DAY

from .service import IdentityService


async def tell_of_identity(work: Work, event: EventRef) -> None:
    async with work.resources.database.reading() as session:
        identity = await IdentityService(session).find_with_owner(event.subject_id)
    if identity is None:
        return
    words = {
        "api": work.resources.api_url,
        "name": identity.owner_name,
        "provider": identity.provider,
        "email": identity.email,
        "identity_id": identity.id,
    }
    letter = Letter(event.id, identity.owner_email, "A new way to log in", "identities/emails/linked", words)
    await work.resources.mailer.send(work, letter)


TELL_OF_IDENTITY = Job("identities.tell_of_identity", EventRef, tell_of_identity, max_attempts=A_DAY)
