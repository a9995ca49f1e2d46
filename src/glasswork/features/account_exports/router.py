from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse

from glasswork.core.http.errors import declare
from glasswork.core.http.rate_limits import rated
from glasswork.features.accounts.auth import SIGNED_IN, CurrentActor

from .schemas import AccountExport
from .service import ExportService

router = APIRouter(prefix="/users", tags=["users"])

_DOCUMENT: dict[int | str, dict[str, Any]] = {200: {"model": AccountExport}}
_HEADERS = {
    "Content-Disposition": 'attachment; filename="glasswork-account.json"',
    "Cache-Control": "no-store",
}


async def get_exports(request: Request) -> ExportService:
    return ExportService(request.app.state.database)


@router.get(
    "/me/export",
    response_model=None,
    responses=_DOCUMENT | declare(*SIGNED_IN),
    openapi_extra=rated("10/minute"),
)
async def export_me(
    actor: CurrentActor, exports: Annotated[ExportService, Depends(get_exports)]
) -> StreamingResponse:
    """Download everything that is kept about me: no secrets, and no addresses of others.

    Tasks that I made or am assigned to are in it whole where I am a member, and as I made them where I no
    longer am. An answer that breaks off is no JSON: ask again.
    """
    return StreamingResponse(await exports.open(actor), media_type="application/json", headers=_HEADERS)
