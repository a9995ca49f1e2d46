from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.mail import KeptMail, Outcome
from glasswork.core.paging import AnySelect, Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import IS_OPEN_EVERYWHERE, ensure_open_everywhere
from glasswork.features.accounts.models import User
from glasswork.features.workspaces.access import access, role_in
from glasswork.features.workspaces.models import Membership, Workspace

from .errors import AnnouncementNotFoundError
from .models import Announcement, AnnouncementLetter, LetterState

MOST_ATTEMPTS: Final = 16
PAUSE: Final = timedelta(minutes=1)
"""At least so long a letter waits that was put off."""
_MANY: Final = 10_000
"""Recipients whom one statement chooses."""

_ANNOUNCEMENTS = select(
    Announcement.id,
    Announcement.workspace_id,
    Announcement.subject,
    Announcement.body,
    Announcement.status,
    Announcement.total,
    Announcement.sent,
    Announcement.failed,
    Announcement.unsure,
    Announcement.skipped,
    Announcement.created_by,
    Announcement.version,
    Announcement.created_at,
    Announcement.updated_at,
    Announcement.started_at,
    Announcement.finished_at,
)
_OF_WORKSPACE = _ANNOUNCEMENTS.join(access, access.c.workspace_id == Announcement.workspace_id).where(
    Announcement.workspace_id == bindparam("workspace_id")
)
_OF_INSTALLATION = _ANNOUNCEMENTS.where(Announcement.workspace_id.is_(None), IS_OPEN_EVERYWHERE)
_SORT_KEYS = {"created_at": SortKey.of(Announcement.created_at, AwareDatetime)}

_IS_TRIED_LAST = AnnouncementLetter.attempts + 1 >= MOST_ATTEMPTS
_BECOMES: Mapping[Outcome, Mapping[str, Any]] = {
    Outcome.ACCEPTED: {"state": LetterState.SENT},
    Outcome.REFUSED: {"state": LetterState.FAILED},
    Outcome.UNSURE: {"state": LetterState.UNSURE},
    Outcome.AWAY: {"state": LetterState.WAITING},
    Outcome.PUT_OFF: {
        "state": case((_IS_TRIED_LAST, LetterState.FAILED), else_=LetterState.WAITING),
        "attempts": AnnouncementLetter.attempts + 1,
        "due_at": func.now() + PAUSE,
    },
}

_COUNTED = ((LetterState.SENT, "sent"), (LetterState.FAILED, "failed"), (LetterState.UNSURE, "unsure"))


class AnnouncementRepository:
    """Those of a workspace, or without one the installation's."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, announcement: Announcement) -> Announcement:
        self._session.add(announcement)
        await self._session.flush()
        return announcement

    async def get(self, actor: Actor, workspace_id: UUID | None, announcement_id: UUID) -> AnyRow:
        statement, binds = _seen_by(actor, workspace_id)
        found = await self._session.execute(statement.where(Announcement.id == announcement_id), binds)
        row = found.one_or_none()
        if row is None:
            await self._ensure_open(actor, workspace_id)
            raise AnnouncementNotFoundError(announcement_id)
        return row

    async def page(self, actor: Actor, workspace_id: UUID | None, query: PageQuery) -> Page[AnyRow]:
        statement, binds = _seen_by(actor, workspace_id)
        page = await fetch_page(self._session, statement, query, _SORT_KEYS, Announcement.id, binds)
        if not page.items:
            await self._ensure_open(actor, workspace_id)
        return page

    async def _ensure_open(self, actor: Actor, workspace_id: UUID | None) -> None:
        if workspace_id is None:
            await ensure_open_everywhere(self._session, actor)
        else:
            await role_in(self._session, actor, workspace_id)


class LetterRepository:
    """The letters of one announcement, for whoever sends them: it asks for nobody's rights."""

    def __init__(self, session: AsyncSession, announcement_id: UUID) -> None:
        self._session = session
        self._id = announcement_id
        self._is_of_it = AnnouncementLetter.announcement_id == announcement_id

    async def lock(self) -> Announcement | None:
        return await self._session.get(Announcement, self._id, with_for_update=True)

    async def names(self, announcement: Announcement) -> AnyRow:
        """Return `author` and `workspace`, which is None of the installation's."""
        workspace = select(Workspace.name).where(Workspace.id == announcement.workspace_id)
        statement = select(User.name.label("author"), workspace.scalar_subquery().label("workspace"))
        return (await self._session.execute(statement.where(User.id == announcement.created_by))).one()

    async def choose_recipients(self, workspace_id: UUID | None) -> int:
        """Return how many they are: from now on it is them, and nobody who comes later."""
        has_letter = exists().where(self._is_of_it, AnnouncementLetter.user_id == User.id)
        new = select(literal(self._id), User.id).where(_is_reached(workspace_id), ~has_letter).limit(_MANY)
        statement = insert(AnnouncementLetter).from_select(["announcement_id", "user_id"], new)
        total = 0
        while added := (await self._session.execute(statement)).rowcount:  # type: ignore[attr-defined]
            total += added
        return total

    async def claim(self, workspace_id: UUID | None, number: int) -> Sequence[AnyRow]:
        """Return the recipients whose turn it is, and who are still there; nobody else claims them."""
        turn = (
            select(User.id.label("user_id"), User.email, User.name)
            .join(AnnouncementLetter, AnnouncementLetter.user_id == User.id)
            .where(
                self._is_of_it,
                AnnouncementLetter.state == LetterState.WAITING,
                AnnouncementLetter.due_at <= func.now(),
                _is_reached(workspace_id),
            )
            .order_by(AnnouncementLetter.due_at)
            .limit(number)
            .with_for_update(of=AnnouncementLetter, skip_locked=True)
        )
        rows = (await self._session.execute(turn)).all()
        claimed = update(AnnouncementLetter).where(
            self._is_of_it, AnnouncementLetter.user_id.in_([row.user_id for row in rows])
        )
        await self._session.execute(claimed.values(state=LetterState.SENDING))
        return rows

    async def keep(self, mails: Sequence[KeptMail]) -> None:
        self._session.add_all(mails)

    async def settle(self, outcomes: Mapping[UUID, Outcome]) -> None:
        """Note what became of claimed letters, and count it."""
        states: Counter[LetterState] = Counter()
        for outcome in set(outcomes.values()):
            letters = [user_id for user_id, theirs in outcomes.items() if theirs is outcome]
            states += await self._change(AnnouncementLetter.user_id.in_(letters), _BECOMES[outcome])
        await self._count(states)

    async def give_up_claimed(self) -> bool:
        """What was claimed by a worker that died may be sent or not: nobody knows. Return whether any was."""
        lost = await self._change(literal(True), _BECOMES[Outcome.UNSURE])
        await self._count(lost)
        return bool(lost)

    async def has_left(self, workspace_id: UUID | None) -> bool:
        """Whether there is a letter that may still be sent, now or later."""
        statement = (
            select(AnnouncementLetter.user_id)
            .join(User, User.id == AnnouncementLetter.user_id)
            .where(
                self._is_of_it,
                or_(
                    AnnouncementLetter.state == LetterState.SENDING,
                    and_(AnnouncementLetter.state == LetterState.WAITING, _is_reached(workspace_id)),
                ),
            )
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def _change(self, which: ColumnElement[bool], values: Mapping[str, Any]) -> Counter[LetterState]:
        statement = (
            update(AnnouncementLetter)
            .where(self._is_of_it, AnnouncementLetter.state == LetterState.SENDING, which)
            .values(values)
            .returning(AnnouncementLetter.state)
        )
        return Counter((await self._session.scalars(statement)).all())

    async def _count(self, states: Counter[LetterState]) -> None:
        counts = {
            name: getattr(Announcement, name) + states[state] for state, name in _COUNTED if states[state]
        }
        if counts:
            changed = update(Announcement).where(Announcement.id == self._id)
            await self._session.execute(changed.values(**counts, version=Announcement.version + 1))


def _seen_by(actor: Actor, workspace_id: UUID | None) -> tuple[AnySelect, dict[str, Any]]:
    if workspace_id is None:
        return _OF_INSTALLATION, actor.binds
    return _OF_WORKSPACE, actor.binds | {"workspace_id": workspace_id}


def _is_reached(workspace_id: UUID | None) -> ColumnElement[bool]:
    """Whether the user is active, and a member of the workspace, if it is one's."""
    if workspace_id is None:
        return User.is_active.is_(True)
    membership = (
        select(Membership.user_id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(
            Membership.workspace_id == workspace_id,
            Membership.user_id == User.id,
            Membership.removed_at.is_(None),
            Workspace.deleted_at.is_(None),
        )
    )
    return and_(User.is_active, membership.correlate(User).exists())
