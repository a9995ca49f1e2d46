"""Events are written with the change itself: both are committed, or neither is."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from opentelemetry.propagate import inject
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.events import Event, Updated
from glasswork.core.telemetry.context import current_request

_PENDING = "pending events"

_ROWS = """
    jsonb_to_recordset(CAST(:events AS jsonb)) AS event (
        place int, id uuid, type text, subject_id uuid, actor_id uuid, session_id uuid, request_id text,
        traceparent text, before jsonb, after jsonb
    )
"""
_FIELDS = "id, type, subject_id, actor_id, session_id, request_id, traceparent, before, after"

# Writers of a workspace wait for each other from here to the COMMIT that follows at once: so `seq` has no
# gaps, and is the order of the commits. A reader who has seen a `seq` has seen, or can see, all before it.
_STORE_IN_WORKSPACE = text(f"""
    WITH counter AS (
        INSERT INTO event_counters (workspace_id, last_seq) VALUES (:workspace_id, :count)
        ON CONFLICT (workspace_id) DO UPDATE SET last_seq = event_counters.last_seq + EXCLUDED.last_seq
        RETURNING last_seq
    )
    INSERT INTO workspace_events (workspace_id, seq, {_FIELDS})
    SELECT :workspace_id, counter.last_seq - :count + place, {_FIELDS} FROM counter, {_ROWS}
""")  # noqa: S608 (our own words)
_STORE_IN_INSTALLATION = text(f"""
    INSERT INTO installation_events ({_FIELDS}) SELECT {_FIELDS} FROM {_ROWS} ORDER BY place
""")  # noqa: S608 (likewise)


@dataclass(frozen=True, slots=True)
class _Pending:
    event: Event
    actor: Actor | None
    transaction: SessionTransaction | None


class Outbox:
    """Takes events down; `store_events` writes them as the last thing before the commit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def record(self, actor: Actor | None, event: Event | None) -> None:
        """Take an event down; None stands for a change that changed nothing."""
        if event is not None:
            session = self._session.sync_session
            transaction = session.get_nested_transaction() or session.get_transaction()
            session.info.setdefault(_PENDING, []).append(_Pending(event, actor, transaction))

    @contextmanager
    def updating(self, actor: Actor, event: type[Updated], entity: Any) -> Iterator[None]:
        """Record how the entity differs at the end from what it was at the beginning."""
        before = event.show(entity)
        yield
        self.record(actor, event.between(before, entity))


async def store_events(session: AsyncSession) -> None:
    by_workspace: dict[UUID | None, list[_Pending]] = defaultdict(list)
    for pending in session.info.pop(_PENDING, []):
        by_workspace[pending.event.workspace_id].append(pending)
    # In one order for all, or two transactions could wait for each other's counters.
    for workspace_id in sorted(by_workspace, key=str):
        rows = by_workspace[workspace_id]
        values: dict[str, Any] = {"events": _as_json(rows)}
        if workspace_id is None:
            await session.execute(_STORE_IN_INSTALLATION, values)
        else:
            counted = values | {"workspace_id": workspace_id, "count": len(rows)}
            await session.execute(_STORE_IN_WORKSPACE, counted)


def _as_json(rows: Sequence[_Pending]) -> str:
    carrier: dict[str, str] = {}
    inject(carrier)
    common = {"request_id": current_request().request_id, "traceparent": carrier.get("traceparent")}
    return json.dumps([common | _fields(row, place) for place, row in enumerate(rows, start=1)], default=str)


def _fields(row: _Pending, place: int) -> dict[str, Any]:
    return {
        "place": place,
        "id": uuid7(),
        "type": row.event.type,
        "subject_id": row.event.subject_id,
        "actor_id": row.actor and row.actor.user_id,
        "session_id": row.actor and row.actor.session_id,
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
