"""What the process and its neighbours are able to do, for those who watch it."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from glasswork.core.db import Database
from glasswork.core.migrations import schema_state

PROBES = frozenset({"/health", "/ready", "/metrics"})
CHECK_SECONDS = 2

router = APIRouter(tags=["service"])


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ok", "unavailable"]
    checks: dict[str, str]


@router.get("/health")
async def health() -> Health:
    """Tell that the process is alive, without asking anybody else."""
    return Health(status="ok")


@router.get("/ready", responses={503: {"model": Readiness, "description": "Not now."}})
async def ready(request: Request, response: Response) -> Readiness:
    """Tell whether requests can be served: the database answers, and its schema is ours."""
    readiness = await check(request.app.state.database)
    response.status_code = 200 if readiness.status == "ok" else 503
    return readiness


async def check(database: Database) -> Readiness:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            schema = await schema_state(database.engine)
    except Exception:  # noqa: BLE001 (whatever it is, the answer is the same)
        return Readiness(status="unavailable", checks={"database": "unavailable", "schema": "unknown"})
    status: Literal["ok", "unavailable"] = "ok" if schema == "ok" else "unavailable"
    return Readiness(status=status, checks={"database": "ok", "schema": schema})
