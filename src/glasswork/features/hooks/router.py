from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import API_PREFIX, CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import HookId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import HookNotFoundError
from .schemas import HookCreate, HookIssued, HookQuery, HookRead, HookUpdate
from .service import HookService

router = APIRouter(tags=["hooks"])

Reader = Annotated[Actor, acting(Scope.WEBHOOKS_READ)]
Writer = Annotated[Actor, acting(Scope.WEBHOOKS_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError, PermissionDeniedError)
OF_ONE = (*AUTHORIZED, HookNotFoundError, PermissionDeniedError)


async def get_hooks(request: Request, session: Session) -> HookService:
    state = request.app.state
    return HookService(session, state.keys, f"{state.settings.public_url}{API_PREFIX}")


Hooks = Annotated[HookService, Depends(get_hooks)]


@router.post(
    "/workspaces/{workspace_id}/hooks",
    status_code=201,
    responses=CREATED | declare(*INSIDE),
    dependencies=[NotCached],
)
async def create_hook(
    workspace_id: WorkspaceId, new: HookCreate, actor: Writer, hooks: Hooks, response: Response
) -> HookIssued:
    """Open an address for another program's messages; the answer holds the secret, this once. For admins.

    What comes in is done for me, and within what I may do in the workspace at that moment.
    """
    return created(response, "/hooks", await hooks.create(actor, workspace_id, new))


@router.get("/workspaces/{workspace_id}/hooks", response_model=PageRead[HookRead], responses=declare(*INSIDE))
async def list_hooks(
    workspace_id: WorkspaceId, query: Annotated[HookQuery, Query()], actor: Reader, hooks: Hooks
) -> Page[HookRead]:
    """List the addresses to which other programs send their messages. For admins."""
    return await hooks.page(actor, workspace_id, query)


@router.get("/hooks/{hook_id}", response_model=HookRead, responses=SHOWN | declare(*OF_ONE))
async def get_hook(
    hook_id: HookId, actor: Reader, hooks: Hooks, response: Response, if_none_match: IfNoneMatch
) -> HookRead | Response:
    """Show a hook. For admins."""
    return shown(response, await hooks.get(actor, hook_id), if_none_match)


@router.patch("/hooks/{hook_id}", responses=TAGGED | declare(*OF_ONE, StaleVersionError))
async def update_hook(
    hook_id: HookId, changes: HookUpdate, actor: Writer, hooks: Hooks, response: Response, if_match: IfMatch
) -> HookRead:
    """Change a hook. It goes on to act for whoever has made it. For admins."""
    return tagged(response, await hooks.update(actor, hook_id, changes, if_match))


@router.post("/hooks/{hook_id}/secret", responses=TAGGED | declare(*OF_ONE), dependencies=[NotCached])
async def change_hook_secret(hook_id: HookId, actor: Writer, hooks: Hooks, response: Response) -> HookIssued:
    """Make another secret, which is shown this once; the one before is taken for a day still. For admins."""
    return tagged(response, await hooks.change_secret(actor, hook_id))


@router.delete("/hooks/{hook_id}", status_code=204, responses=declare(*OF_ONE, StaleVersionError))
async def delete_hook(hook_id: HookId, actor: Writer, hooks: Hooks, if_match: IfMatch) -> None:
    """Delete a hook for good: what is sent there is refused. For admins."""
    await hooks.delete(actor, hook_id, if_match)
