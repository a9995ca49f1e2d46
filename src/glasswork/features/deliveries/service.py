from typing import Any
from uuid import UUID, uuid4

from opentelemetry.propagate import inject
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.errors import require
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.core.telemetry.context import current_request
from glasswork.features.activity.service import change_of
from glasswork.features.webhooks.access import lock_webhook, role_for
from glasswork.features.webhooks.errors import WebhookDisabledError
from glasswork.features.webhooks.policy import can_manage

from .models import PING, Delivery
from .repository import DeliveryRepository
from .schemas import (
    DeliveryQuery,
    DeliveryShown,
    Message,
    Ping,
    PingData,
    Redelivery,
    RedeliveryRead,
    WorkspaceChange,
)


class DeliveryService:
    """What was sent to webhooks, what came of it, and what is to be sent once more."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._deliveries = DeliveryRepository(session)

    async def page(self, actor: Actor, webhook_id: UUID, query: DeliveryQuery) -> Page[AnyRow]:
        require(can_manage(await role_for(self._session, actor, webhook_id)))
        return await self._deliveries.page(actor, webhook_id, query)

    async def get(self, actor: Actor, delivery_id: UUID) -> DeliveryShown:
        delivery = await self._deliveries.get(actor, delivery_id)
        require(can_manage(delivery.role))
        return _shown(delivery)

    async def ping(self, actor: Actor, webhook_id: UUID) -> DeliveryShown:
        """Send what says nothing, once, also to one that is switched off."""
        webhook, role, _ = await lock_webhook(self._session, actor, webhook_id)
        require(can_manage(role))
        carrier: dict[str, str] = {}
        inject(carrier)
        ping = Delivery(
            id=uuid4(),
            workspace_id=webhook.workspace_id,
            webhook_id=webhook.id,
            type=PING,
            request_id=current_request().request_id,
            traceparent=carrier.get("traceparent"),
        )
        await self._deliveries.add(ping)
        return _shown(await self._deliveries.get(actor, ping.id))

    async def redeliver(self, actor: Actor, delivery_id: UUID) -> DeliveryShown:
        delivery = await self._deliveries.get(actor, delivery_id)
        webhook, role, _ = await lock_webhook(self._session, actor, delivery.webhook_id)
        require(can_manage(role))
        if not webhook.is_enabled and delivery.type != PING:
            raise WebhookDisabledError
        await self._deliveries.ask(delivery)
        return _shown(await self._deliveries.get(actor, delivery_id))

    async def redeliver_since(self, actor: Actor, webhook_id: UUID, again: Redelivery) -> RedeliveryRead:
        """Look at all changes since then once more; those that were not delivered are, or all of them."""
        webhook, role, _ = await lock_webhook(self._session, actor, webhook_id)
        require(can_manage(role))
        if not webhook.is_enabled:
            raise WebhookDisabledError
        progress = await self._deliveries.lock_progress(webhook)
        first = await self._deliveries.find_first_since(webhook.workspace_id, again.since)
        last = progress.followed_seq
        if first is not None and first > last:
            first = None
        if first is not None:
            progress.seen_seq = max(progress.seen_seq, last)
            progress.followed_seq = first - 1
            if again.delivered_too:
                progress.again_until_seq = max(progress.again_until_seq, last)
        return RedeliveryRead(
            workspace_id=webhook.workspace_id,
            webhook_id=webhook.id,
            first_seq=first,
            last_seq=None if first is None else last,
        )


def body_of(delivery: AnyRow) -> bytes:
    """Return what is sent: the same at each attempt, for the log does not change."""
    if delivery.event_id is None:
        data = PingData(workspace_id=delivery.workspace_id, webhook_id=delivery.webhook_id)
        return Ping(type=PING, timestamp=delivery.created_at, data=data).model_dump_json().encode()
    change = change_of(delivery)
    told = WorkspaceChange(workspace_id=delivery.workspace_id, **dict(change))
    message = Message(type=delivery.type, timestamp=change.at, data=told)
    return message.model_dump_json().encode()


def _shown(delivery: AnyRow) -> DeliveryShown:
    fields: dict[str, Any] = delivery._asdict() | {"body": body_of(delivery).decode()}
    return DeliveryShown.model_validate(fields)
