import secrets
from collections.abc import Collection

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.outbox import Outbox
from glasswork.features.accounts.access import require_recent_login
from glasswork.features.accounts.events import UserDeleted
from glasswork.features.accounts.models import SystemRole, User
from glasswork.features.accounts.service import UserLookup
from glasswork.features.credentials.service import require_password
from glasswork.features.invitations.events import InvitationDeleted
from glasswork.features.members.events import MemberDeleted
from glasswork.features.reports.events import ReportDeleted
from glasswork.features.workspaces.events import WorkspaceDeleted
from glasswork.features.workspaces.models import Workspace
from glasswork.features.workspaces.schemas import MemberRead

from .errors import LastAdminError, OnlyOwnerError
from .repository import PersonalDataRepository


class DeletionService:
    """An account goes with all that names its owner; what others work with stays.

    Locked are, in this order, the account, its workspaces, and invitations to its addresses: whoever joins a
    workspace holds the account first, and whoever makes somebody an owner holds the workspace.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._users = UserLookup(session)
        self._data = PersonalDataRepository(session)
        self._outbox = Outbox(session)

    async def delete_me(self, actor: Actor, password: str | None) -> None:
        """Who logs in without a password has proved who they are by the recent login."""
        await require_recent_login(self._session, actor)
        user = await self._users.lock_me(actor)
        if user.password_hash is not None:
            await require_password(user, password or "")
        await self._keep_an_admin(user)
        shared, lonely = await self._workspaces_of(user)
        addresses = await self._data.find_addresses(user)
        invitations = await self._data.lock_invitations(addresses)
        user.change(_nobody(user))
        await self._users.flush()
        # From here on events show the account without its name.
        await self._leave(actor, user, shared)
        for workspace in lonely:
            self._outbox.record(actor, WorkspaceDeleted.of(workspace))
            workspace.change({"deleted_at": func.now()})
        for invitation, is_pending in invitations:
            invitation.change({"email": user.email})
            if is_pending:
                self._outbox.record(actor, InvitationDeleted.of(invitation))
                invitation.change({"withdrawn_at": func.now()})
        for report in await self._data.take_reports(user.id):
            self._outbox.record(actor, ReportDeleted.of(report))
        await self._data.blank_events(user.id, [(each.workspace_id, each.id) for each, _ in invitations])
        await self._data.forget(user.id, addresses)
        self._outbox.record(actor, UserDeleted(workspace_id=None, subject_id=user.id))

    async def _keep_an_admin(self, user: User) -> None:
        if user.role is not SystemRole.ADMIN:
            return
        await self._users.lock_admins()
        if not await self._users.has_admin(but=user.id):
            raise LastAdminError

    async def _workspaces_of(self, user: User) -> tuple[Collection[Workspace], Collection[Workspace]]:
        """Return those with other members, and those without; raise OnlyOwnerError."""
        workspaces = {each.id: each for each in await self._data.lock_workspaces(user.id)}
        companies = await self._data.companies(user.id, workspaces.keys())
        stranded = [each for each in companies if each.is_owner and each.others and not each.other_owners]
        if stranded:
            raise OnlyOwnerError(workspaces[each.workspace_id] for each in stranded)
        shared = [workspaces[each.workspace_id] for each in companies if each.others]
        lonely = [workspaces[each.workspace_id] for each in companies if not each.others]
        return shared, lonely

    async def _leave(self, actor: Actor, user: User, workspaces: Collection[Workspace]) -> None:
        for membership in await self._data.lock_memberships(user.id, [each.id for each in workspaces]):
            member = MemberRead(
                workspace_id=membership.workspace_id,
                user_id=user.id,
                username=user.username,
                name=user.name,
                email=user.email,
                role=membership.role,
                version=membership.version + user.version,
                created_at=membership.created_at,
                updated_at=user.updated_at,
            )
            self._outbox.record(actor, MemberDeleted.of(member))
            membership.change({"removed_at": func.now()})


def _nobody(user: User) -> dict[str, object]:
    """What is left of a user: nothing that anybody could log in with, or that names somebody."""
    return {
        "email": f"deleted-{user.id}@deleted.invalid",
        "username": f"deleted_{secrets.token_hex(6)}",
        "name": "Deleted user",
        "password_hash": None,
        "role": SystemRole.USER,
        "is_active": False,
        "email_verified_at": None,
        "deleted_at": func.now(),
    }
