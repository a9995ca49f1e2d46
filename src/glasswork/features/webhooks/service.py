from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import ValidationError, require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.settings import Settings
from glasswork.core.signatures import new_secret, show_secret
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys
from glasswork.features.projects.access import access_to
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.workspaces.access import lock_workspace, role_in

from . import policy
from .access import lock_webhook
from .errors import TooManyWebhooksError
from .events import WebhookCreated, WebhookDeleted, WebhookUpdated
from .models import DisabledReason, Webhook
from .policy import seal_secret
from .repository import WebhookRepository
from .schemas import (
    SecretChange,
    WebhookCreate,
    WebhookIssued,
    WebhookQuery,
    WebhookRead,
    WebhookUpdate,
)


class WebhookService:
    """Where the changes of a workspace are sent to."""

    def __init__(self, session: AsyncSession, settings: Settings, keys: Keys) -> None:
        self._session = session
        self._settings = settings
        self._keys = keys
        self._webhooks = WebhookRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID, new: WebhookCreate) -> WebhookIssued:
        # The workspace stays locked, so that no two are the last one that may be added.
        _, role = await lock_workspace(self._session, actor, workspace_id)
        require(policy.can_manage(role))
        self._check_url(new.url)
        if new.project_id is not None:
            project = await access_to(self._session, actor, new.project_id)
            if project.workspace_id != workspace_id:
                raise ProjectNotFoundError(new.project_id)
        if await self._webhooks.count(workspace_id) >= policy.MOST_WEBHOOKS:
            raise TooManyWebhooksError(policy.MOST_WEBHOOKS)
        webhook_id, secret = uuid7(), new_secret()
        webhook = Webhook(
            id=webhook_id,
            workspace_id=workspace_id,
            is_enabled=True,
            secret=seal_secret(self._keys, webhook_id, secret),
            created_by=actor.user_id,
            **new.model_dump(),
        )
        await self._webhooks.add(webhook)
        self._outbox.record(actor, WebhookCreated.of(webhook))
        return _issued(webhook, secret)

    async def get(self, actor: Actor, webhook_id: UUID) -> AnyRow:
        webhook = await self._webhooks.get(actor, webhook_id)
        require(policy.can_manage(webhook.role))
        return webhook

    async def page(self, actor: Actor, workspace_id: UUID, query: WebhookQuery) -> Page[AnyRow]:
        require(policy.can_manage(await role_in(self._session, actor, workspace_id)))
        return await self._webhooks.page(actor, workspace_id, query)

    async def update(
        self, actor: Actor, webhook_id: UUID, changes: WebhookUpdate, precondition: Precondition
    ) -> Webhook:
        """Switched on again, it is sent what is committed from then on."""
        webhook, role, now = await lock_webhook(self._session, actor, webhook_id)
        require(policy.can_manage(role))
        fields = changes.sent()
        precondition.check(webhook, fields)
        if "url" in fields:
            self._check_url(fields["url"])
        is_enabled = fields.get("is_enabled", webhook.is_enabled)
        with self._outbox.updating(actor, WebhookUpdated, webhook):
            if is_enabled and not webhook.is_enabled:
                fields |= {"disabled_reason": None, "disabled_at": None}
                await self._webhooks.skip_to_now(webhook)
            elif webhook.is_enabled and not is_enabled:
                fields |= {"disabled_reason": DisabledReason.ASKED, "disabled_at": now}
            webhook.change(fields)
            await self._webhooks.flush()
        return webhook

    async def change_secret(self, actor: Actor, webhook_id: UUID, change: SecretChange) -> WebhookIssued:
        """From now on the new one signs; so does the one before, for as long as is asked for."""
        webhook, role, now = await lock_webhook(self._session, actor, webhook_id)
        require(policy.can_manage(role))
        secret = new_secret()
        valid_for = timedelta(hours=change.previous_valid_hours)
        with self._outbox.updating(actor, WebhookUpdated, webhook):
            webhook.change(
                {
                    "previous_secret": webhook.secret if valid_for else None,
                    "previous_until": now + valid_for if valid_for else None,
                    "secret": seal_secret(self._keys, webhook.id, secret),
                    "secret_changed_at": now,
                }
            )
            await self._webhooks.flush()
        return _issued(webhook, secret)

    async def delete(self, actor: Actor, webhook_id: UUID, precondition: Precondition) -> None:
        webhook, role, now = await lock_webhook(self._session, actor, webhook_id)
        require(policy.can_manage(role))
        precondition.check(webhook)
        self._outbox.record(actor, WebhookDeleted.of(webhook))
        webhook.change({"deleted_at": now, "secret": "", "previous_secret": None})

    def _check_url(self, url: str) -> None:
        settings = self._settings
        if why := policy.why_refused(url, settings.public_url, settings.webhook_allow_cidrs):
            raise ValidationError.at(["body", "url"], why, "forbidden_url")


class OwnerLookup:
    """Who is told of a webhook that was switched off, and what."""

    def __init__(self, session: AsyncSession) -> None:
        self._webhooks = WebhookRepository(session)

    async def owners(self, webhook_id: UUID) -> Sequence[UUID]:
        return await self._webhooks.owners(webhook_id)

    async def letter(self, webhook_id: UUID, user_id: UUID) -> AnyRow | None:
        return await self._webhooks.find_letter(webhook_id, user_id)


def _issued(webhook: Webhook, secret: bytes) -> WebhookIssued:
    shown: dict[str, Any] = WebhookRead.model_validate(webhook).model_dump()
    return WebhookIssued(**shown, secret=show_secret(secret))
