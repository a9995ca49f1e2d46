from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import JSON, ColumnElement, and_, case, func, literal, select, type_coerce, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import WorkspaceEvent
from glasswork.core.filtering import any_of, between
from glasswork.core.paging import Page, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.webhooks.access import STANDS
from glasswork.features.webhooks.models import Webhook, WebhookProgress
from glasswork.features.workspaces.access import access

from .access import CHANGE, ITS_EVENT
from .errors import DeliveryNotFoundError
from .models import Delivery, DeliveryAttempt, DeliveryStatus
from .schemas import DeliveryQuery, Outcome

LOGGED = 100

_DELIVERIES = (
    select(*Delivery.__table__.c, access.c.role)
    .join(Webhook, and_(Webhook.workspace_id == Delivery.workspace_id, Webhook.id == Delivery.webhook_id))
    .join(access, access.c.workspace_id == Delivery.workspace_id)
    .where(*STANDS)
)
_newest = (
    select(DeliveryAttempt)
    .where(DeliveryAttempt.workspace_id == Delivery.workspace_id, DeliveryAttempt.delivery_id == Delivery.id)
    .order_by(DeliveryAttempt.number.desc())
    .limit(LOGGED)
    .correlate(Delivery)
    .subquery("newest")
)
_outcome = case(
    (_newest.c.ended_at.is_(None), Outcome.UNKNOWN.value),
    (_newest.c.error.is_(None), Outcome.DELIVERED.value),
    else_=Outcome.FAILED.value,
)
_attempt = func.json_build_object(
    *(
        part
        for name in (
            *("number", "started_at", "ended_at", "url", "headers"),
            *("status", "answer_headers", "answer", "error"),
        )
        for part in (name, _newest.c[name])
    ),
    "outcome",
    _outcome,
)
_LOG = type_coerce(
    select(func.coalesce(func.json_agg(aggregate_order_by(_attempt, _newest.c.number)), literal([], JSON)))
    .select_from(_newest)
    .scalar_subquery(),
    JSON,
)
_SHOWN = _DELIVERIES.add_columns(*CHANGE, _LOG.label("log")).outerjoin(WorkspaceEvent, ITS_EVENT)
_SORT_KEYS = {"created_at": SortKey.of(Delivery.created_at, AwareDatetime)}


class DeliveryRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, delivery_id: UUID) -> AnyRow:
        """Return it with the actor's `role`, its change and the `log` of its attempts."""
        statement = _SHOWN.where(Delivery.id == delivery_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise DeliveryNotFoundError(delivery_id)
        return row

    async def page(self, actor: Actor, webhook_id: UUID, query: DeliveryQuery) -> Page[AnyRow]:
        statement = _DELIVERIES.where(Delivery.webhook_id == webhook_id, *_filters(query))
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Delivery.id, actor.binds)

    async def add(self, delivery: Delivery) -> None:
        await self._hurry(delivery.workspace_id, delivery.webhook_id)
        self._session.add(delivery)
        await self._session.flush()

    async def ask(self, delivery: AnyRow) -> None:
        """Have it sent once more, as if it were new."""
        await self._hurry(delivery.workspace_id, delivery.webhook_id)
        locked = (
            select(Delivery)
            .where(Delivery.workspace_id == delivery.workspace_id, Delivery.id == delivery.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        found = (await self._session.scalars(locked)).one()
        found.change(
            {
                "status": DeliveryStatus.PENDING,
                "tries": 0,
                "asked_at": func.now(),
                "next_attempt_at": func.now(),
                "finished_at": None,
            }
        )
        await self._session.flush()

    async def lock_progress(self, webhook: Webhook) -> WebhookProgress:
        statement = select(WebhookProgress).where(
            WebhookProgress.workspace_id == webhook.workspace_id, WebhookProgress.webhook_id == webhook.id
        )
        return (await self._session.scalars(statement.with_for_update())).one()

    async def find_first_since(self, workspace_id: UUID, since: datetime) -> int | None:
        """Return the `seq` of the first change that happened then or later."""
        statement = select(func.min(WorkspaceEvent.seq)).where(
            WorkspaceEvent.workspace_id == workspace_id, WorkspaceEvent.at >= since
        )
        return (await self._session.execute(statement)).scalar_one()

    async def _hurry(self, workspace_id: UUID, webhook_id: UUID) -> None:
        """Have whoever delivers look at once; it also makes them wait until this is committed."""
        await self._session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.workspace_id == workspace_id, WebhookProgress.webhook_id == webhook_id)
            .values(next_at=func.now())
        )


def _filters(query: DeliveryQuery) -> Iterator[ColumnElement[bool]]:
    yield from any_of(Delivery.status, query.status)
    yield from any_of(Delivery.type, query.type)
    yield from between(Delivery.created_at, query.created_after, query.created_before)
