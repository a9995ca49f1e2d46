"""Events are written with the change itself: both are committed, or neither is."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from opentelemetry.propagate import inject
from opentelemetry.trace import Tracer
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.events import Event, Updated
from glasswork.core.jobs import NO_TRACER, EventRef, Job, Order, P, store_orders
from glasswork.core.statements import Write
from glasswork.core.telemetry.context import current_request

SUBSCRIBERS = "subscribers"
_PENDING = "pending"

Subscribers = Mapping[str, Sequence[Job[EventRef]]]
"""What is to be done after an event, by its type."""

NO_SUBSCRIBERS: Subscribers = MappingProxyType({})


_ROWS = """
    jsonb_to_recordset(CAST(:events AS jsonb)) AS event (
        place int, id uuid, type text, subject_id uuid, actor_id uuid, session_id uuid, api_token_id uuid,
        request_id text, traceparent text, before jsonb, after jsonb
    )
"""
_FIELDS = """
    id, type, subject_id, actor_id, session_id, api_token_id, request_id, traceparent, before, after
"""

# Writers of a workspace wait for each other from here to the COMMIT that follows at once: so `seq` has no
# gaps, and is the order of the commits. A reader who has seen a `seq` has seen, or can see, all before it.
_INTO_WORKSPACE = text(f"""
    WITH counter AS (
        INSERT INTO event_counters (workspace_id, last_seq) VALUES (:workspace_id, :count)
        ON CONFLICT (workspace_id) DO UPDATE SET last_seq = event_counters.last_seq + EXCLUDED.last_seq
        RETURNING last_seq
    )
    INSERT INTO workspace_events (workspace_id, seq, {_FIELDS})
    SELECT :workspace_id, counter.last_seq - :count + place, {_FIELDS} FROM counter, {_ROWS}
""")  # noqa: S608 (our own words)
_INTO_INSTALLATION = text(f"""
    INSERT INTO installation_events ({_FIELDS}) SELECT {_FIELDS} FROM {_ROWS} ORDER BY place
""")  # noqa: S608 (likewise)
_STORE_IN_WORKSPACE, _STORE_IN_INSTALLATION = Write(_INTO_WORKSPACE), Write(_INTO_INSTALLATION)


@dataclass(frozen=True, slots=True)
class _Happened:
    id: UUID
    event: Event
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class _Pending:
    what: _Happened | Order
    transaction: SessionTransaction | None


class Outbox:
    """Takes down events and orders of jobs; they are stored as the last thing before the commit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def record(self, actor: Actor | None, event: Event | None) -> None:
        """Take an event down, and order what its subscribers do; None: nothing has changed."""
        if event is None:
            return
        happened = _Happened(uuid7(), event, actor)
        self._append(happened)
        subscribers: Subscribers = self._session.info[SUBSCRIBERS]
        for job in subscribers.get(event.type, ()):
            if job.concerns is not None and not job.concerns(event.before, event.after):
                continue
            reference = EventRef(id=happened.id, workspace_id=event.workspace_id, subject_id=event.subject_id)
            self.order(job, reference)

    @contextmanager
    def updating(self, actor: Actor | None, event: type[Updated], entity: Any) -> Iterator[None]:
        """Record how the entity differs at the end from what it was at the beginning."""
        before = event.show(entity)
        yield
        self.record(actor, event.between(before, entity))

    def order(
        self, job: Job[P], payload: P, dedupe_key: str | None = None, delay: timedelta | None = None
    ) -> None:
        self._append(Order(job, payload, dedupe_key, delay))

    def _append(self, what: _Happened | Order) -> None:
        session = self._session.sync_session
        transaction = session.get_nested_transaction() or session.get_transaction()
        self._session.info.setdefault(_PENDING, []).append(_Pending(what, transaction))


async def store_outbox(session: AsyncSession, tracer: Tracer = NO_TRACER) -> list[Event]:
    """Store the jobs, and then the events, whose counters others wait for; return the events."""
    pending: list[_Pending] = session.info.pop(_PENDING, [])
    if orders := [row.what for row in pending if isinstance(row.what, Order)]:
        await store_orders(session, orders, tracer)
    by_workspace: dict[UUID | None, list[_Happened]] = defaultdict(list)
    for row in pending:
        if isinstance(row.what, _Happened):
            by_workspace[row.what.event.workspace_id].append(row.what)
    # In one order for all, or two transactions could wait for each other's counters.
    for workspace_id in sorted(by_workspace, key=str):
        happened = by_workspace[workspace_id]
        values: dict[str, Any] = {"events": _as_json(happened)}
        if workspace_id is None:
            await _STORE_IN_INSTALLATION.records(session, values)
        else:
            counted = values | {"workspace_id": workspace_id, "count": len(happened)}
            await _STORE_IN_WORKSPACE.records(session, counted)
    return [row.event for happened in by_workspace.values() for row in happened]


def _as_json(rows: Sequence[_Happened]) -> str:
    carrier: dict[str, str] = {}
    inject(carrier)
    common = {"request_id": current_request().request_id, "traceparent": carrier.get("traceparent")}
    return json.dumps([common | _fields(row, place) for place, row in enumerate(rows, start=1)], default=str)


def _fields(row: _Happened, place: int) -> dict[str, Any]:
    who = row.actor.binds if row.actor is not None else {}
    return {
        "place": place,
        "id": row.id,
        "type": row.event.type,
        "subject_id": row.event.subject_id,
        "actor_id": who.get("actor_user_id"),
        "session_id": who.get("actor_session_id"),
        "api_token_id": who.get("actor_token_id"),
        "before": row.event.before,
        "after": row.event.after,
    }


@sqlalchemy_event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    """What happened in a savepoint that is rolled back did not happen."""
    pending: list[_Pending] = session.info.get(_PENDING, [])
    pending[:] = [row for row in pending if rolled_back not in _ancestry(row.transaction)]


def _ancestry(transaction: SessionTransaction | None) -> list[SessionTransaction]:
    return [] if transaction is None else [transaction, *_ancestry(transaction.parent)]
