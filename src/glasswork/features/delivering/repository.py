from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, and_, case, false, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import EventCounter, WorkspaceEvent
from glasswork.core.statements import AnyRow
from glasswork.features.deliveries.access import CHANGE, ITS_EVENT
from glasswork.features.deliveries.models import Delivery, DeliveryAttempt, DeliveryStatus
from glasswork.features.following.access import Lease
from glasswork.features.sending.policy import Verdict
from glasswork.features.sending.service import Parcel
from glasswork.features.webhooks.access import STANDS
from glasswork.features.webhooks.models import Webhook, WebhookProgress
from glasswork.features.workspaces.models import Workspace

_ITS_WEBHOOK = and_(
    Webhook.workspace_id == WebhookProgress.workspace_id, Webhook.id == WebhookProgress.webhook_id
)
_PENDING = Delivery.status == DeliveryStatus.PENDING
_IN_ORDER = (Delivery.seq.nulls_first(), Delivery.created_at)
# The receiver takes nothing, or has others of its own before this one.
_IS_HELD_UP = or_(
    WebhookProgress.failures > 0,
    func.coalesce(WebhookProgress.delivered_at >= Delivery.created_at, false()),
)


class DeliveringRepository:
    """Locks are taken in one order: the webhook's, its progress's, its deliveries'."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lease(self, number: int, duration: timedelta) -> Sequence[Lease]:
        """Take webhooks with something to do that nobody has, in turn."""
        is_behind = and_(Webhook.is_enabled, EventCounter.last_seq > WebhookProgress.followed_seq)
        free = (
            select(WebhookProgress.workspace_id, WebhookProgress.webhook_id)
            .join(Webhook, _ITS_WEBHOOK)
            .join(Workspace, Workspace.id == WebhookProgress.workspace_id)
            .outerjoin(EventCounter, EventCounter.workspace_id == WebhookProgress.workspace_id)
            .where(
                or_(
                    # Of what its holder left undone nothing else is known.
                    and_(WebhookProgress.lease_id.is_not(None), WebhookProgress.leased_until < func.now()),
                    and_(
                        WebhookProgress.lease_id.is_(None),
                        or_(is_behind, WebhookProgress.next_at <= func.now()),
                    ),
                ),
                Workspace.deleted_at.is_(None),
                *STANDS,
            )
            .order_by(WebhookProgress.leased_until.nulls_first())
            .limit(number)
            .with_for_update(of=WebhookProgress, skip_locked=True)
        )
        lease_id = uuid4()
        taken = (
            update(WebhookProgress)
            .where(tuple_(WebhookProgress.workspace_id, WebhookProgress.webhook_id).in_(free))
            .values(lease_id=lease_id, leased_until=func.now() + duration)
            .returning(WebhookProgress.workspace_id, WebhookProgress.webhook_id)
        )
        rows = await self._session.execute(taken, execution_options={"synchronize_session": False})
        return [Lease(lease_id, row.workspace_id, row.webhook_id) for row in rows]

    async def prolong(self, lease_ids: Collection[UUID], duration: timedelta) -> None:
        await self._session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.lease_id.in_(lease_ids))
            .values(leased_until=func.now() + duration)
        )

    async def lock_progress(self, lease: Lease) -> AnyRow | None:
        """Return how far the webhook is; None when another one has it by now."""
        held = select(*WebhookProgress.__table__.c).where(lease.is_held).with_for_update()
        return (await self._session.execute(held)).one_or_none()

    async def find_webhook(self, lease: Lease) -> AnyRow | None:
        """Return it with its secrets, of which the one before is null when its time is over."""
        previous = case((Webhook.previous_until > func.now(), Webhook.previous_secret))
        statement = (
            select(
                Webhook.id,
                Webhook.workspace_id,
                Webhook.project_id,
                Webhook.url,
                Webhook.events,
                Webhook.is_ordered,
                Webhook.is_enabled,
                Webhook.secret,
                previous.label("previous_secret"),
            )
            .join(Workspace, Workspace.id == Webhook.workspace_id)
            .where(
                Webhook.workspace_id == lease.workspace_id,
                Webhook.id == lease.webhook_id,
                Workspace.deleted_at.is_(None),
                *STANDS,
            )
        )
        return (await self._session.execute(statement)).one_or_none()

    async def find_due(self, lease: Lease, number: int) -> Sequence[UUID]:
        statement = (
            select(Delivery.id)
            .where(lease.covers(Delivery), _PENDING, Delivery.next_attempt_at <= func.now())
            .order_by(Delivery.next_attempt_at, *_IN_ORDER)
            .limit(number)
        )
        return (await self._session.scalars(statement)).all()

    async def find_head(self, lease: Lease) -> Sequence[UUID]:
        """The first in the order of the changes, if it is due: whatever comes later waits for it."""
        head = (
            select(Delivery.id, (Delivery.next_attempt_at <= func.now()).label("is_due"))
            .where(lease.covers(Delivery), _PENDING)
            .order_by(*_IN_ORDER)
            .limit(1)
        )
        row = (await self._session.execute(head)).one_or_none()
        return [row.id] if row is not None and row.is_due else []

    async def begin(self, lease: Lease, delivery_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """Count an attempt of each; return them with their changes, what held them up, and the time `now`."""
        if not delivery_ids:
            return []
        is_it = and_(Delivery.workspace_id == lease.workspace_id, Delivery.id.in_(delivery_ids))
        counted = {
            Delivery.attempts: Delivery.attempts + 1,
            Delivery.tries: Delivery.tries + 1,
            Delivery.version: Delivery.version + 1,
        }
        await self._session.execute(
            update(Delivery).where(is_it).values(counted), execution_options={"synchronize_session": False}
        )
        statement = (
            select(*Delivery.__table__.c, *CHANGE, func.now().label("now"), _IS_HELD_UP.label("is_held_up"))
            .select_from(Delivery)
            .join(WebhookProgress, lease.covers(WebhookProgress))
            .outerjoin(WorkspaceEvent, ITS_EVENT)
            .where(is_it)
            .order_by(*_IN_ORDER)
        )
        return (await self._session.execute(statement)).all()

    async def log(self, lease: Lease, parcels: Iterable[Parcel]) -> None:
        begun = [
            {
                "workspace_id": lease.workspace_id,
                "delivery_id": parcel.delivery.id,
                "number": parcel.delivery.attempts,
                "url": parcel.url,
                "headers": dict(parcel.headers),
            }
            for parcel in parcels
        ]
        if begun:
            await self._session.execute(insert(DeliveryAttempt), begun)

    async def note(self, lease: Lease, *, is_success: bool) -> None:
        progress = update(WebhookProgress).where(lease.covers(WebhookProgress))
        if is_success:
            noted = progress.values(failures=0, delivered_at=func.clock_timestamp())
        else:
            noted = progress.values(failures=WebhookProgress.failures + 1)
        await self._session.execute(noted)

    async def end(self, lease: Lease, parcel: Parcel, verdict: Verdict, delay: timedelta | None) -> None:
        """Say what became of the delivery; a failure says nothing once a later attempt has begun."""
        delivery = parcel.delivery
        is_it = [Delivery.workspace_id == lease.workspace_id, Delivery.id == delivery.id, _PENDING]
        if delay is None:
            status = DeliveryStatus.DELIVERED if verdict.is_delivered else DeliveryStatus.DEAD
            fate: dict[str, Any] = {"status": status, "next_attempt_at": None, "finished_at": func.now()}
        else:
            fate = {"next_attempt_at": func.now() + delay}
        if not verdict.is_delivered:
            is_it.append(Delivery.attempts == delivery.attempts)
        await self._session.execute(
            update(Delivery)
            .where(*is_it)
            .values(
                answered_at=func.coalesce(Delivery.answered_at, func.now()),
                version=Delivery.version + 1,
                **fate,
            )
        )

    async def end_attempt(self, lease: Lease, parcel: Parcel, told: Mapping[str, Any]) -> None:
        await self._session.execute(
            update(DeliveryAttempt)
            .where(
                DeliveryAttempt.workspace_id == lease.workspace_id,
                DeliveryAttempt.delivery_id == parcel.delivery.id,
                DeliveryAttempt.number == parcel.delivery.attempts,
            )
            .values(ended_at=func.now(), **told)
        )

    async def has_taken_since(self, lease: Lease, parcel: Parcel) -> bool:
        """Whether the receiver has taken anything since this delivery was asked for."""
        statement = (
            select(WebhookProgress.delivered_at >= Delivery.asked_at)
            .join(Delivery, and_(lease.covers(Delivery), Delivery.id == parcel.delivery.id))
            .where(lease.covers(WebhookProgress))
        )
        return bool((await self._session.execute(statement)).scalar_one_or_none())

    async def find_enabled(self, lease: Lease) -> Row[Webhook, datetime] | None:
        """Lock it, if it is still on; return also what time is now."""
        statement = select(Webhook, func.now()).where(
            Webhook.workspace_id == lease.workspace_id,
            Webhook.id == lease.webhook_id,
            Webhook.is_enabled,
            *STANDS,
        )
        locked = statement.with_for_update(of=Webhook, key_share=True)
        return (await self._session.execute(locked)).one_or_none()

    async def flush(self) -> None:
        await self._session.flush()

    async def release(self, lease: Lease) -> None:
        """Give it back, and note when there is something to do again."""
        held = select(WebhookProgress.webhook_id).where(lease.is_held).with_for_update()
        if (await self._session.execute(held)).one_or_none() is None:
            return
        # A statement of its own: it sees what was committed while this one waited for the lock.
        its = select(Delivery.next_attempt_at).where(lease.covers(Delivery), _PENDING)
        ordered = select(Webhook.is_ordered).where(
            Webhook.workspace_id == lease.workspace_id, Webhook.id == lease.webhook_id
        )
        head = its.order_by(*_IN_ORDER).limit(1).scalar_subquery()
        earliest = its.with_only_columns(func.min(Delivery.next_attempt_at)).scalar_subquery()
        await self._session.execute(
            update(WebhookProgress)
            .where(lease.is_held)
            .values(
                lease_id=None,
                leased_until=func.now(),
                next_at=case((ordered.scalar_subquery(), head), else_=earliest),
            )
        )
