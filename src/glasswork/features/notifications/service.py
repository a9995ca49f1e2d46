from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys
from glasswork.features.accounts.access import ensure_signed_in

from .errors import SubscriptionNotFoundError, said_twice, unknown_project
from .models import Kind, Mailing, Preference
from .policy import USUAL
from .repository import NotificationRepository, PreferenceRepository
from .schemas import (
    NotificationCounts,
    NotificationQuery,
    PreferenceRead,
    Preferences,
    PreferencesWrite,
    PreferenceWrite,
)

UTC = "UTC"

_UNSUBSCRIBE = "unsubscribe"

_USUAL = [
    PreferenceRead(kind=kind, project_id=None, in_app=way.in_app, mail=way.mail)
    for kind, way in USUAL.items()
]


class NotificationService:
    """What I am told. Reading marks are mine alone: they make no events."""

    def __init__(self, session: AsyncSession) -> None:
        self._notifications = NotificationRepository(session)

    async def page(self, actor: Actor, query: NotificationQuery) -> Page[AnyRow]:
        return await self._notifications.page(actor, query)

    async def get(self, actor: Actor, notification_id: UUID) -> AnyRow:
        return await self._notifications.get(actor, notification_id)

    async def counts(self, actor: Actor) -> NotificationCounts:
        by_kind = {Kind(row.kind): row.number for row in await self._notifications.count_unread(actor)}
        return NotificationCounts(unread=sum(by_kind.values()), by_kind=by_kind)

    async def mark(self, actor: Actor, notification_id: UUID, *, read: bool) -> AnyRow:
        await self._notifications.get(actor, notification_id)
        await self._notifications.mark(actor, notification_id, read=read)
        return await self._notifications.get(actor, notification_id)

    async def mark_all(self, actor: Actor) -> None:
        await self._notifications.mark_all(actor)


class PreferenceService:
    """How I am told."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._preferences = PreferenceRepository(session)

    async def show(self, actor: Actor) -> Preferences:
        return _shown(await self._preferences.show(actor))

    async def replace(self, actor: Actor, new: PreferencesWrite) -> Preferences:
        await ensure_signed_in(self._session, actor)
        project_ids = [
            preference.project_id for preference in new.preferences if preference.project_id is not None
        ]
        workspaces = await self._preferences.workspaces_of(actor, project_ids)
        seen: set[tuple[Kind, UUID | None]] = set()
        for place, preference in enumerate(new.preferences):
            if preference.project_id is not None and preference.project_id not in workspaces:
                raise unknown_project(place)
            if (preference.kind, preference.project_id) in seen:
                raise said_twice(place)
            seen.add((preference.kind, preference.project_id))
        await self._preferences.lock_user(actor.user_id)
        preferences = [_preference(actor, preference, workspaces) for preference in new.preferences]
        await self._preferences.replace(actor.user_id, new.time_zone, preferences)
        return _shown(await self._preferences.show(actor))


def _preference(actor: Actor, preference: PreferenceWrite, workspaces: dict[UUID, UUID]) -> Preference:
    workspace_id = workspaces[preference.project_id] if preference.project_id is not None else None
    return Preference(user_id=actor.user_id, workspace_id=workspace_id, **preference.model_dump())


def _shown(said: AnyRow) -> Preferences:
    return Preferences(
        time_zone=said.time_zone or UTC,
        preferences=[PreferenceRead(**each) for each in said.preferences or ()],
        usual=_USUAL,
    )


class UnsubscriptionService:
    """Ends letters for whoever has one: no login stands between a reader and fewer of them."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._preferences = PreferenceRepository(session)
        self._keys = keys

    async def unsubscribe(self, token: str) -> None:
        """Raises SubscriptionNotFoundError."""
        user_id, kind = self.read(token)
        if not await self._preferences.has_user(user_id):
            raise SubscriptionNotFoundError
        await self._preferences.lock_user(user_id)
        if kind is not None:
            await self._preferences.stop_mail(user_id, [kind])
            return
        everywhere = {each.kind: each.mail for each in await self._preferences.of(user_id)}
        daily = [kind for kind in Kind if everywhere.get(kind, USUAL[kind].mail) is Mailing.DAILY]
        await self._preferences.stop_mail(user_id, daily)

    def read(self, token: str) -> tuple[UUID, Kind | None]:
        """Return whose letters it ends, and of which kind; None: the daily ones."""
        try:
            user_id, _, kind = unseal(self._keys, _UNSUBSCRIBE, token.encode()).decode().partition(" ")
        except BrokenSealError as error:
            raise SubscriptionNotFoundError from error
        return UUID(user_id), Kind(kind) if kind else None


def unsubscribe_url(keys: Keys, api_url: str, user_id: UUID, kind: Kind | None) -> str:
    sealed = seal(keys, _UNSUBSCRIBE, f"{user_id} {kind or ''}".encode())
    return f"{api_url}/notifications/unsubscribe/{sealed.decode()}"
