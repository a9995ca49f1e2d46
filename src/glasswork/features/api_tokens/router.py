from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.http.dependencies import IfNoneMatch, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ApiTokenId
from glasswork.features.accounts.auth import RECENTLY_SIGNED_IN, SIGNED_IN, CurrentActor
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import ApiTokenNotFoundError
from .schemas import ApiTokenCreate, ApiTokenIssued, ApiTokenQuery, ApiTokenRead
from .service import ApiTokenService

router = APIRouter(prefix="/auth/api-tokens", tags=["auth"])


async def get_api_tokens(session: Session) -> ApiTokenService:
    return ApiTokenService(session)


ApiTokens = Annotated[ApiTokenService, Depends(get_api_tokens)]


@router.post(
    "",
    status_code=201,
    responses=CREATED | declare(*RECENTLY_SIGNED_IN, WorkspaceNotFoundError),
    dependencies=[NotCached],
)
async def create_api_token(
    new: ApiTokenCreate, actor: CurrentActor, api_tokens: ApiTokens, response: Response
) -> ApiTokenIssued:
    """Make a token for a script; the answer holds it, this once."""
    return created(response, "/auth/api-tokens", await api_tokens.create(actor, new))


@router.get("", response_model=PageRead[ApiTokenRead], responses=declare(*SIGNED_IN))
async def list_api_tokens(
    query: Annotated[ApiTokenQuery, Query()], actor: CurrentActor, api_tokens: ApiTokens
) -> Page[Any]:
    """List my tokens for scripts."""
    return await api_tokens.page(actor, query)


@router.get(
    "/{api_token_id}",
    response_model=ApiTokenRead,
    responses=SHOWN | declare(*SIGNED_IN, ApiTokenNotFoundError),
)
async def get_api_token(
    api_token_id: ApiTokenId,
    actor: CurrentActor,
    api_tokens: ApiTokens,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a token: all but the token itself."""
    return shown(response, await api_tokens.get(actor, api_token_id), if_none_match)


@router.delete("/{api_token_id}", status_code=204, responses=declare(*SIGNED_IN, ApiTokenNotFoundError))
async def revoke_api_token(api_token_id: ApiTokenId, actor: CurrentActor, api_tokens: ApiTokens) -> None:
    """Revoke a token: it is refused from the next request on."""
    await api_tokens.revoke(actor, api_token_id)
