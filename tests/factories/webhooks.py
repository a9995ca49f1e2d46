"""Webhooks, and a courier who delivers when the test wants it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.addresses import Resolve
from glasswork.core.db import Database
from glasswork.core.outgoing import Limits, Outgoing
from glasswork.core.telemetry.signals import Signals
from glasswork.features.delivering.service import Courier

from .callers import Caller

SHORT = Limits(connect=2, read=1.5, total=2)
SPAN = 604_800
"""The longest that a delivery may be tried for: no attempt is due again while a test looks."""


async def make_webhook(admin: Caller, workspace: dict[str, Any], url: str, **fields: Any) -> Any:
    response = await admin.post(f"/workspaces/{workspace['id']}/webhooks", {"url": url} | fields)
    assert response.status_code == 201, response.text
    return response.json()


@asynccontextmanager
async def open_courier(
    app: FastAPI,
    signals: Signals | None = None,
    *,
    allowed: Sequence[str] = ("127.0.0.0/8",),
    resolve: Resolve | None = None,
    limits: Limits = SHORT,
    retry_seconds: float = SPAN,
) -> AsyncIterator[Courier]:
    outgoing = Outgoing(allowed, signals, limits, resolve)
    settings = app.state.settings.model_copy(update={"webhook_retry_seconds": retry_seconds})
    try:
        yield Courier(app.state.database, outgoing, app.state.keys, settings, signals)
    finally:
        await outgoing.close()


async def deliver(courier: Courier) -> None:
    """Until nothing is due."""
    while await courier.look():
        await courier.rest()


async def hasten(database: Database) -> None:
    """Let the next attempt of everything be due."""
    async with database.system_transaction() as session:
        for statement in (
            "UPDATE deliveries SET next_attempt_at = now() WHERE status = 'pending'",
            "UPDATE webhook_progress SET next_at = now() WHERE next_at IS NOT NULL",
        ):
            await session.execute(text(statement))


async def age(database: Database, seconds: float) -> None:
    """Let all that was done so far be so many seconds older."""
    async with database.system_transaction() as session:
        for statement in (
            "UPDATE deliveries SET asked_at = asked_at - make_interval(secs => :seconds)",
            "UPDATE webhook_progress SET delivered_at = delivered_at - make_interval(secs => :seconds)",
        ):
            await session.execute(text(statement), {"seconds": seconds})
    await hasten(database)
