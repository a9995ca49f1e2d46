from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import EventCounter, WorkspaceEvent
from glasswork.core.statements import AnyRow
from glasswork.features.activity.access import PROJECT_IDS, first
from glasswork.features.deliveries.models import PING, Delivery, DeliveryStatus
from glasswork.features.webhooks.models import ALL_OF_KIND, WebhookProgress

from .access import Lease

FOLLOWED_AT_ONCE = 500
GIVEN_UP_AT_ONCE = 1000

_ASKED_ANEW: Mapping[str, Any] = {
    "status": DeliveryStatus.PENDING.value,
    "tries": 0,
    "asked_at": func.now(),
    "next_attempt_at": func.now(),
    "finished_at": None,
    "version": Delivery.version + 1,
    "updated_at": func.now(),
}


_MADE_OF = (
    *("id", "version", "workspace_id", "webhook_id", "event_id"),
    *("seq", "type", "request_id", "traceparent", "created_at", "answered_at"),
)


class FollowingRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def follow(self, lease: Lease, webhook: AnyRow, progress: AnyRow) -> bool:
        """Make deliveries of the next changes; whether there are more."""
        counter = select(EventCounter.last_seq).where(EventCounter.workspace_id == lease.workspace_id)
        last: int = (await self._session.execute(counter)).scalar_one_or_none() or 0
        until: int = min(last, progress.followed_seq + FOLLOWED_AT_ONCE)
        if until <= progress.followed_seq:
            return False
        made = insert(Delivery).from_select(
            _MADE_OF, _changes(webhook, progress, until), include_defaults=False
        )
        again = or_(
            Delivery.status == DeliveryStatus.DEAD,
            and_(Delivery.status == DeliveryStatus.DELIVERED, Delivery.seq <= progress.again_until_seq),
        )
        await self._session.execute(
            made.on_conflict_do_update(
                index_elements=[Delivery.workspace_id, Delivery.webhook_id, Delivery.event_id],
                set_=_ASKED_ANEW,
                where=again,
            )
        )
        await self._session.execute(
            update(WebhookProgress).where(lease.covers(WebhookProgress)).values(followed_seq=until)
        )
        return until < last

    async def give_up(self, lease: Lease) -> bool:
        """Of a webhook that is off, all but pings are dead; whether there may be more."""
        some = (
            select(Delivery.id)
            .where(lease.covers(Delivery), Delivery.status == DeliveryStatus.PENDING, Delivery.type != PING)
            .limit(GIVEN_UP_AT_ONCE)
        )
        dead = (
            update(Delivery)
            .where(Delivery.workspace_id == lease.workspace_id, Delivery.id.in_(some))
            .values(
                status=DeliveryStatus.DEAD,
                next_attempt_at=None,
                finished_at=func.now(),
                version=Delivery.version + 1,
            )
            .returning(Delivery.id)
        )
        return len((await self._session.execute(dead)).all()) == GIVEN_UP_AT_ONCE


def _changes(webhook: AnyRow, progress: AnyRow, until: int) -> Any:
    """Select what the webhook is to be told, as rows of `_MADE_OF`."""
    changes = (
        select(
            func.gen_random_uuid(),
            literal(1),
            WorkspaceEvent.workspace_id,
            literal(webhook.id),
            WorkspaceEvent.id,
            WorkspaceEvent.seq,
            WorkspaceEvent.type,
            WorkspaceEvent.request_id,
            WorkspaceEvent.traceparent,
            func.clock_timestamp(),  # so that the log has them in their order
            # Of what is looked at once more it is not asked how long it took.
            case((WorkspaceEvent.seq <= progress.seen_seq, func.now())),
        )
        .where(
            WorkspaceEvent.workspace_id == webhook.workspace_id,
            WorkspaceEvent.seq.between(progress.followed_seq + 1, until),
            *_chosen(webhook),
        )
        .order_by(WorkspaceEvent.seq)
    )
    if webhook.project_id is not None:
        in_project = literal(webhook.project_id) == func.any(PROJECT_IDS)
        changes = changes.outerjoin(first, true()).where(in_project)
    return changes


def _chosen(webhook: AnyRow) -> tuple[ColumnElement[bool], ...]:
    if not webhook.events:
        return ()
    kinds = [name.removesuffix("*") for name in webhook.events if name.endswith(ALL_OF_KIND)]
    return (
        or_(
            WorkspaceEvent.type.in_(webhook.events), *(WorkspaceEvent.type.startswith(kind) for kind in kinds)
        ),
    )
