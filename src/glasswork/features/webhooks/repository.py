from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import EventCounter
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.accounts.models import User
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Membership, Role, Workspace

from .access import STANDS
from .errors import WebhookNotFoundError
from .models import Webhook, WebhookProgress

_COLUMNS: tuple[Any, ...] = (
    Webhook.id,
    Webhook.workspace_id,
    Webhook.project_id,
    Webhook.url,
    Webhook.events,
    Webhook.description,
    Webhook.is_ordered,
    Webhook.is_enabled,
    Webhook.disabled_reason,
    Webhook.disabled_at,
    Webhook.secret_changed_at,
    Webhook.created_by,
    Webhook.version,
    Webhook.created_at,
    Webhook.updated_at,
)
_WEBHOOKS = (
    select(*_COLUMNS, access.c.role)
    .join(access, access.c.workspace_id == Webhook.workspace_id)
    .where(*STANDS)
)
_SORT_KEYS = {"created_at": SortKey.of(Webhook.created_at, AwareDatetime)}


class WebhookRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, webhook: Webhook) -> None:
        """It is sent what is committed from now on."""
        self._session.add(webhook)
        await self.flush()
        self._session.add(
            WebhookProgress(
                workspace_id=webhook.workspace_id,
                webhook_id=webhook.id,
                followed_seq=_last_seq(webhook),
            )
        )
        await self.flush()

    async def flush(self) -> None:
        await self._session.flush()

    async def count(self, workspace_id: UUID) -> int:
        statement = select(func.count()).where(
            Webhook.workspace_id == workspace_id, Webhook.deleted_at.is_(None)
        )
        return (await self._session.execute(statement)).scalar_one()

    async def get(self, actor: Actor, webhook_id: UUID) -> AnyRow:
        """Return it with the actor's `role`."""
        statement = _WEBHOOKS.where(Webhook.id == webhook_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise WebhookNotFoundError(webhook_id)
        return row

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _WEBHOOKS.where(Webhook.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Webhook.id, actor.binds)

    async def skip_to_now(self, webhook: Webhook) -> None:
        """What was not sent by now is only sent when it is asked for."""
        await self._session.execute(
            update(WebhookProgress)
            .where(
                WebhookProgress.workspace_id == webhook.workspace_id,
                WebhookProgress.webhook_id == webhook.id,
            )
            .values(followed_seq=_last_seq(webhook), failures=0)
        )

    async def owners(self, webhook_id: UUID) -> Sequence[UUID]:
        """Return who owns the workspace and who made it; their letter asks whether they may know still."""
        is_owner = or_(Membership.role == Role.OWNER, Membership.user_id == Webhook.created_by)
        statement = (
            select(Membership.user_id)
            .join(Webhook, Webhook.workspace_id == Membership.workspace_id)
            .where(Webhook.id == webhook_id, is_owner)
        )
        return (await self._session.scalars(statement)).all()

    async def find_letter(self, webhook_id: UUID, user_id: UUID) -> AnyRow | None:
        """Return what somebody is told of a webhook that is off."""
        statement = (
            select(
                User.email,
                User.name,
                Webhook.url,
                Webhook.disabled_reason,
                Workspace.name.label("workspace_name"),
            )
            .join(Workspace, Workspace.id == Webhook.workspace_id)
            .join(Membership, Membership.workspace_id == Webhook.workspace_id)
            .join(User, User.id == Membership.user_id)
            .where(
                Webhook.id == webhook_id,
                Webhook.is_enabled.is_(False),
                User.id == user_id,
                User.is_active,
                Membership.role.in_([Role.ADMIN, Role.OWNER]),
                Membership.removed_at.is_(None),
                Workspace.deleted_at.is_(None),
                *STANDS,
            )
        )
        return (await self._session.execute(statement)).one_or_none()


def _last_seq(webhook: Webhook) -> Any:
    last = select(EventCounter.last_seq).where(EventCounter.workspace_id == webhook.workspace_id)
    return func.coalesce(last.scalar_subquery(), 0)
