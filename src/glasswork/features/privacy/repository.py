from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Row,
    and_,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import InstallationEvent, WorkspaceEvent
from glasswork.core.mail import KeptMail
from glasswork.core.models import Base
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.events import UserUpdated
from glasswork.features.accounts.models import User
from glasswork.features.calendars.events import CalendarFeedCreated, CalendarFeedDeleted
from glasswork.features.invitations.models import Invitation
from glasswork.features.reports.models import Report, ReportStatus
from glasswork.features.workspaces.models import Membership, Role, Workspace


class PersonalDataRepository:
    """What names a person, wherever it stands."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_workspaces(self, user_id: UUID) -> Sequence[Workspace]:
        """Those of the user, in one order for all; what they hold is read after that."""
        mine = select(Membership.workspace_id).where(
            Membership.user_id == user_id, Membership.removed_at.is_(None)
        )
        statement = (
            select(Workspace)
            .where(Workspace.id.in_(mine), Workspace.deleted_at.is_(None))
            .order_by(Workspace.id)
            .with_for_update(key_share=True)
        )
        return (await self._session.scalars(statement)).all()

    async def companies(self, user_id: UUID, workspace_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """Return `workspace_id`, `is_owner`, and the numbers of `others` and `other_owners`."""
        is_me, owns = Membership.user_id == user_id, Membership.role == Role.OWNER
        statement = (
            select(
                Membership.workspace_id,
                func.bool_or(and_(is_me, owns)).label("is_owner"),
                func.count().filter(~is_me).label("others"),
                func.count().filter(~is_me, owns).label("other_owners"),
            )
            .where(Membership.workspace_id.in_(workspace_ids), Membership.removed_at.is_(None))
            .group_by(Membership.workspace_id)
            .having(func.bool_or(is_me))
        )
        return (await self._session.execute(statement)).all()

    async def lock_memberships(self, user_id: UUID, workspace_ids: Collection[UUID]) -> Sequence[Membership]:
        statement = select(Membership).where(
            Membership.user_id == user_id, Membership.workspace_id.in_(workspace_ids)
        )
        return (await self._session.scalars(statement.with_for_update())).all()

    async def find_addresses(self, user: User) -> Collection[str]:
        """Return the present one, and former ones that are nobody else's by now, in small letters."""
        former = func.lower(InstallationEvent.before["email"].astext)
        is_taken = select(User.id).where(func.lower(User.email) == former).exists()
        statement = select(former).where(
            InstallationEvent.subject_id == user.id,
            InstallationEvent.type == UserUpdated.type,
            former.is_not(None),
            ~is_taken,
        )
        return {user.email.lower(), *(await self._session.scalars(statement)).all()}

    async def lock_invitations(self, addresses: Collection[str]) -> Sequence[Row[Invitation, bool]]:
        """Return all that there ever were to the addresses, and whether each waits for an answer."""
        is_pending = and_(
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > func.now(),
        )
        statement = select(Invitation, is_pending).where(func.lower(Invitation.email).in_(addresses))
        return (await self._session.execute(statement.order_by(Invitation.id).with_for_update())).all()

    async def blank_events(self, user_id: UUID, invitations: Collection[tuple[UUID, UUID]]) -> None:
        """Events keep their place, and lose what they held of the user, their feeds and of invitations."""
        event = InstallationEvent
        is_of_mine = func.coalesce(event.after, event.before)["user_id"].astext == str(user_id)
        # What an admin has looked at names nobody, and is to be known.
        is_mine = or_(
            and_(event.subject_id == user_id, event.type.not_like("operations.%")),
            and_(event.actor_id == user_id, is_of_mine),
        )
        blank = {"before": None, "after": None}
        await self._session.execute(update(event).where(is_mine).values(blank))
        joined = select(Membership.workspace_id).where(Membership.user_id == user_id)
        place = tuple_(WorkspaceEvent.workspace_id, WorkspaceEvent.subject_id)
        for found in (
            and_(WorkspaceEvent.workspace_id.in_(joined), WorkspaceEvent.subject_id == user_id),
            place.in_(invitations),
            and_(
                WorkspaceEvent.workspace_id.in_(joined),
                WorkspaceEvent.actor_id == user_id,
                WorkspaceEvent.type.in_([CalendarFeedCreated.type, CalendarFeedDeleted.type]),
            ),
        ):
            await self._session.execute(update(WorkspaceEvent).where(found).values(blank))

    async def take_reports(self, user_id: UUID) -> Sequence[Report]:
        """Delete those that name the user, or are about to; return them."""
        joined = select(Membership.workspace_id).where(Membership.user_id == user_id)
        names_them = Report.numbers.contains({"workload": [{"user_id": str(user_id)}]})
        statement = (
            delete(Report)
            .where(Report.workspace_id.in_(joined), or_(Report.status == ReportStatus.RUNNING, names_them))
            .returning(Report)
        )
        return (await self._session.scalars(statement)).all()

    async def forget(self, user_id: UUID, addresses: Collection[str]) -> None:
        """Sessions, tokens, mail: what would go with the user's row goes, although the row stays."""
        for owner in _owners():
            await self._session.execute(delete(owner.table).where(owner == user_id))
        await self._session.execute(delete(KeptMail).where(func.lower(KeptMail.recipient).in_(addresses)))


def _owners() -> Iterator[Column[Any]]:
    """The columns that say whose a row is."""
    for each in Base.metadata.tables.values():
        for key in each.foreign_keys:
            if key.column is User.__table__.c.id and key.ondelete == "CASCADE":
                yield key.parent
