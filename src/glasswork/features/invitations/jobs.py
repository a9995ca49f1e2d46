"""What follows when somebody is invited: a letter with the token."""

from glasswork.core.jobs import EventRef, Job, Work
from glasswork.core.mail import Letter
from glasswork.features.credentials.jobs import A_DAY

from .service import InvitationService


async def send_invitation(work: Work, event: EventRef) -> None:
    assert event.workspace_id is not None  # noqa: S101 (each invitation is to one)
    async with work.resources.database.reading() as session:
        service = InvitationService(session, work.resources.keys)
        found = await service.letter(event.workspace_id, event.subject_id)
    if found is None:
        return
    invitation, token = found
    words = {
        "api": work.resources.api_url,
        "inviter": invitation.inviter_name,
        "workspace": invitation.workspace_name,
        "role": invitation.role,
        "token": token,
    }
    letter = Letter(
        event.id, invitation.email, "You are invited to a workspace", "invitations/emails/invitation", words
    )
    await work.resources.mailer.send(work, letter)


SEND_INVITATION = Job("invitations.send_invitation", EventRef, send_invitation, max_attempts=A_DAY)
