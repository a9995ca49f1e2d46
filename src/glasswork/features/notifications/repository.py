from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import (
    JSON,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.filtering import any_of
from glasswork.core.paging import Page, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in, is_open_to_token
from glasswork.features.accounts.models import User
from glasswork.features.projects.access import access
from glasswork.features.tasks.access import task_brief
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.models import Workspace

from .errors import NotificationNotFoundError
from .models import Clock, Kind, Mailing, Notification, Preference
from .policy import USUAL
from .schemas import NotificationQuery

_MINE = and_(
    Notification.user_id == ACTOR_ID,
    Notification.is_shown,
    IS_SIGNED_IN,
    is_open_to_token(Notification.workspace_id),
)
_NOTIFICATIONS = (
    select(
        Notification.id,
        Notification.kind,
        Notification.workspace_id,
        type_coerce(case((Task.id.is_not(None), task_brief(access.c.key))), JSON).label("task"),
        Notification.comment_id,
        Notification.actor_id,
        Notification.created_at,
        Notification.read_at,
    )
    .join(Workspace, Workspace.id == Notification.workspace_id)
    .outerjoin(Task, and_(Task.workspace_id == Notification.workspace_id, Task.id == Notification.task_id))
    .outerjoin(access, and_(access.c.project_id == Task.project_id, Task.deleted_at.is_(None)))
    .where(
        _MINE,
        Workspace.deleted_at.is_(None),
        or_(Notification.task_id.is_(None), access.c.project_id.is_not(None)),
    )
)
"""Of what the actor may see now, whatever they could see when it happened."""
_NOTIFICATION = _NOTIFICATIONS.where(Notification.id == bindparam("notification_id"))
_SORT_KEYS = {"created_at": SortKey.of(Notification.created_at, AwareDatetime)}


_SAID = func.json_build_object(
    *("kind", Preference.kind),
    *("project_id", Preference.project_id),
    *("in_app", Preference.in_app),
    *("mail", Preference.mail),
)
_SAID_ALL = func.json_agg(aggregate_order_by(_SAID, Preference.kind, Preference.project_id))
_PREFERENCES = select(
    IS_SIGNED_IN.label("is_signed_in"),
    select(Clock.time_zone).where(Clock.user_id == ACTOR_ID).scalar_subquery().label("time_zone"),
    type_coerce(select(_SAID_ALL).where(Preference.user_id == ACTOR_ID).scalar_subquery(), JSON).label(
        "preferences"
    ),
)


class NotificationRepository:
    """What somebody is told."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, notification_id: UUID) -> AnyRow:
        binds = actor.binds | {"notification_id": notification_id}
        row = (await self._session.execute(_NOTIFICATION, binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise NotificationNotFoundError(notification_id)
        return row

    async def page(self, actor: Actor, query: NotificationQuery) -> Page[AnyRow]:
        statement = _NOTIFICATIONS.where(*_filters(query))
        page = await fetch_page(self._session, statement, query, _SORT_KEYS, Notification.id, actor.binds)
        if not page.items:
            await ensure_signed_in(self._session, actor)
        return page

    async def count_unread(self, actor: Actor) -> Sequence[AnyRow]:
        """Return `kind` and `number`."""
        unread = _NOTIFICATIONS.where(Notification.read_at.is_(None)).subquery()
        statement = select(unread.c.kind, func.count().label("number")).group_by(unread.c.kind)
        rows = (await self._session.execute(statement, actor.binds)).all()
        if not rows:
            await ensure_signed_in(self._session, actor)
        return rows

    async def mark(self, actor: Actor, notification_id: UUID, *, read: bool) -> None:
        """One that is read already keeps its time."""
        read_at = func.coalesce(Notification.read_at, func.now()) if read else None
        await self._session.execute(
            update(Notification)
            .where(Notification.user_id == actor.user_id, Notification.id == notification_id)
            .values(read_at=read_at)
        )

    async def mark_all(self, actor: Actor) -> None:
        await ensure_signed_in(self._session, actor)
        unread = update(Notification).where(_MINE, Notification.read_at.is_(None))
        await self._session.execute(
            unread.values(read_at=func.now()).execution_options(synchronize_session=False), actor.binds
        )


class PreferenceRepository:
    """How somebody wants to be told."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def show(self, actor: Actor) -> AnyRow:
        """Return `time_zone`, which may be None, and `preferences` as rows of `PreferenceRead`."""
        row = (await self._session.execute(_PREFERENCES, actor.binds)).one()
        if not row.is_signed_in:
            await ensure_signed_in(self._session, actor)
        return row

    async def of(self, user_id: UUID) -> Sequence[Preference]:
        statement = (
            select(Preference)
            .where(Preference.user_id == user_id)
            .order_by(Preference.kind, Preference.project_id)
        )
        return (await self._session.scalars(statement)).all()

    async def workspaces_of(self, actor: Actor, project_ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """Return the workspace of each project that the actor may see."""
        statement = select(access.c.project_id, access.c.workspace_id).where(
            access.c.project_id.in_(project_ids)
        )
        rows = await self._session.execute(statement, actor.binds)
        return {row.project_id: row.workspace_id for row in rows}

    async def replace(self, user_id: UUID, time_zone: str, preferences: Sequence[Preference]) -> None:
        clock = insert(Clock).values(user_id=user_id, time_zone=time_zone)
        await self._session.execute(
            clock.on_conflict_do_update(index_elements=[Clock.user_id], set_={"time_zone": time_zone})
        )
        await self._session.execute(delete(Preference).where(Preference.user_id == user_id))
        self._session.add_all(preferences)
        await self._session.flush()

    async def stop_mail(self, user_id: UUID, kinds: Collection[Kind]) -> None:
        """Everywhere; what is shown in the app stays as it is."""
        said = {"mail": Mailing.NONE}
        await self._session.execute(
            update(Preference).where(Preference.user_id == user_id, Preference.kind.in_(kinds)).values(said)
        )
        usual = [{"user_id": user_id, "kind": kind, "in_app": USUAL[kind].in_app, **said} for kind in kinds]
        if usual:
            await self._session.execute(insert(Preference).values(usual).on_conflict_do_nothing())

    async def has_user(self, user_id: UUID) -> bool:
        statement = select(User.id).where(User.id == user_id, User.deleted_at.is_(None))
        return (await self._session.execute(statement)).first() is not None

    async def lock_user(self, user_id: UUID) -> None:
        """Until the commit nobody else changes the user's preferences."""
        key = func.hashtextextended(f"preferences {user_id}", 0)
        await self._session.execute(select(func.pg_advisory_xact_lock(key)))


def _filters(query: NotificationQuery) -> Iterator[ColumnElement[bool]]:
    if query.unread:
        yield Notification.read_at.is_(None)
    yield from any_of(Notification.kind, query.kind)
    yield from any_of(Notification.workspace_id, query.workspace_id)
