"""What the process is able to do, for those who watch it; both answer from memory."""

from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from glasswork.core.health import Health, Status
from glasswork.core.http.access import PUBLIC

router = APIRouter(tags=["service"])


class Liveness(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Status
    checks: Mapping[str, str]


@router.get("/health", openapi_extra=PUBLIC)
async def health() -> Liveness:
    """Tell that the process is alive, without asking anybody else."""
    return Liveness(status="ok")


@router.get(
    "/ready",
    responses={503: {"model": Readiness, "description": "Not now."}},
    openapi_extra=PUBLIC,
)
async def ready(request: Request, response: Response) -> Readiness:
    """Tell whether requests can be served, as the last looks at the database and its schema have shown."""
    known: Health = request.app.state.health
    response.status_code = 503 if known.status == "unavailable" else 200
    return Readiness(status=known.status, checks=known.checks)
