"""What is still to be delivered, for whoever watches over it."""

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import WorkspaceEvent
from glasswork.features.deliveries.models import Delivery, DeliveryStatus
from glasswork.features.webhooks.access import STANDS
from glasswork.features.webhooks.models import Webhook, WebhookProgress
from glasswork.features.workspaces.models import Workspace

_standing = (
    select(Webhook.workspace_id, Webhook.id, Webhook.is_enabled)
    .join(Workspace, Workspace.id == Webhook.workspace_id)
    .where(Workspace.deleted_at.is_(None), *STANDS)
    .subquery("standing")
)
_pending = (
    select(
        func.count().filter(Delivery.attempts == 0).label("waiting"),
        func.count().filter(Delivery.attempts > 0).label("retrying"),
    )
    .join(
        _standing,
        and_(_standing.c.workspace_id == Delivery.workspace_id, _standing.c.id == Delivery.webhook_id),
    )
    .where(Delivery.status == DeliveryStatus.PENDING)
    .subquery("pending")
)

# Of what is looked at once more, the age says nothing.
_unseen_at = (
    select(WorkspaceEvent.at)
    .where(
        _standing.c.is_enabled,
        WorkspaceEvent.workspace_id == WebhookProgress.workspace_id,
        WorkspaceEvent.seq == WebhookProgress.followed_seq + 1,
        WorkspaceEvent.seq > WebhookProgress.seen_seq,
    )
    .correlate(WebhookProgress, _standing)
    .scalar_subquery()
)
# What waits behind other attempts, which its receiver makes slow, is no business of the couriers: a webhook
# waits for one from when there is something to do, or from when the last one went.
_due_at = case(
    (WebhookProgress.lease_id.is_not(None), WebhookProgress.leased_until),
    else_=func.least(_unseen_at, WebhookProgress.next_at),
)
_waits = func.now() - func.greatest(_due_at, WebhookProgress.leased_until)
_oldest = (
    select(func.coalesce(func.extract("epoch", func.max(_waits).filter(_due_at <= func.now())), 0))
    .select_from(WebhookProgress)
    .join(
        _standing,
        and_(
            _standing.c.workspace_id == WebhookProgress.workspace_id,
            _standing.c.id == WebhookProgress.webhook_id,
        ),
    )
    .scalar_subquery()
)
_STATE = select(_pending.c.waiting, _pending.c.retrying, _oldest.label("oldest_seconds"))


async def delivery_state(session: AsyncSession) -> dict[str, float]:
    """Return how many are `waiting` and `retrying`.

    `oldest_seconds` is for how long the first webhook with something to do has waited for a courier.
    """
    row = (await session.execute(_STATE)).one()
    return {"waiting": row.waiting, "retrying": row.retrying, "oldest_seconds": float(row.oldest_seconds)}
