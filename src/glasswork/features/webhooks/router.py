from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import WebhookId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import TooManyWebhooksError, WebhookNotFoundError
from .models import Webhook
from .schemas import (
    SecretChange,
    WebhookCreate,
    WebhookIssued,
    WebhookQuery,
    WebhookRead,
    WebhookUpdate,
)
from .service import WebhookService

router = APIRouter(tags=["webhooks"])

Reader = Annotated[Actor, acting(Scope.WEBHOOKS_READ)]
Writer = Annotated[Actor, acting(Scope.WEBHOOKS_WRITE)]

INSIDE = (*AUTHORIZED, PermissionDeniedError, WebhookNotFoundError)


async def get_webhooks(session: Session, request: Request) -> WebhookService:
    state = request.app.state
    return WebhookService(session, state.settings, state.keys)


Webhooks = Annotated[WebhookService, Depends(get_webhooks)]


@router.post(
    "/workspaces/{workspace_id}/webhooks",
    status_code=201,
    responses=CREATED
    | declare(
        *AUTHORIZED,
        WorkspaceNotFoundError,
        ProjectNotFoundError,
        PermissionDeniedError,
        TooManyWebhooksError,
    ),
    dependencies=[NotCached],
)
async def create_webhook(
    workspace_id: WorkspaceId, new: WebhookCreate, actor: Writer, webhooks: Webhooks, response: Response
) -> WebhookIssued:
    """Have changes sent to a URL, signed; the answer holds the secret, this once. For admins."""
    return created(response, "/webhooks", await webhooks.create(actor, workspace_id, new))


@router.get(
    "/workspaces/{workspace_id}/webhooks",
    response_model=PageRead[WebhookRead],
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError, PermissionDeniedError),
)
async def list_webhooks(
    workspace_id: WorkspaceId,
    query: Annotated[WebhookQuery, Query()],
    actor: Reader,
    webhooks: Webhooks,
) -> Page[Any]:
    """List where changes are sent to. For admins."""
    return await webhooks.page(actor, workspace_id, query)


@router.get("/webhooks/{webhook_id}", response_model=WebhookRead, responses=SHOWN | declare(*INSIDE))
async def get_webhook(
    webhook_id: WebhookId,
    actor: Reader,
    webhooks: Webhooks,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a webhook: all but its secret. For admins."""
    return shown(response, await webhooks.get(actor, webhook_id), if_none_match)


@router.patch(
    "/webhooks/{webhook_id}",
    response_model=WebhookRead,
    responses=TAGGED | declare(*INSIDE, StaleVersionError),
)
async def update_webhook(
    webhook_id: WebhookId,
    changes: WebhookUpdate,
    actor: Writer,
    webhooks: Webhooks,
    if_match: IfMatch,
    response: Response,
) -> Webhook:
    """Change a webhook, or switch it off or on; what it missed is sent when it is asked for. For admins."""
    return tagged(response, await webhooks.update(actor, webhook_id, changes, if_match))


@router.post(
    "/webhooks/{webhook_id}/secret",
    responses=TAGGED | declare(*INSIDE),
    dependencies=[NotCached],
)
async def change_webhook_secret(
    webhook_id: WebhookId, change: SecretChange, actor: Writer, webhooks: Webhooks, response: Response
) -> WebhookIssued:
    """Make a new secret; for a while each delivery is signed with both. For admins."""
    return tagged(response, await webhooks.change_secret(actor, webhook_id, change))


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=declare(*INSIDE, StaleVersionError))
async def delete_webhook(webhook_id: WebhookId, actor: Writer, webhooks: Webhooks, if_match: IfMatch) -> None:
    """Send no more. For admins."""
    await webhooks.delete(actor, webhook_id, if_match)
