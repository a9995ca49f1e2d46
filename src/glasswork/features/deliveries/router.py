from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import DeliveryId, WebhookId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.webhooks.errors import WebhookDisabledError, WebhookNotFoundError

from .errors import DeliveryNotFoundError
from .schemas import DeliveryQuery, DeliveryRead, DeliveryShown, Redelivery, RedeliveryRead
from .service import DeliveryService

router = APIRouter(tags=["webhooks"])

Reader = Annotated[Actor, acting(Scope.WEBHOOKS_READ)]
Writer = Annotated[Actor, acting(Scope.WEBHOOKS_WRITE)]

OF_WEBHOOK = (*AUTHORIZED, PermissionDeniedError, WebhookNotFoundError)
INSIDE = (*AUTHORIZED, PermissionDeniedError, DeliveryNotFoundError)


async def get_deliveries(session: Session) -> DeliveryService:
    return DeliveryService(session)


Deliveries = Annotated[DeliveryService, Depends(get_deliveries)]


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    response_model=PageRead[DeliveryRead],
    responses=declare(*OF_WEBHOOK),
)
async def list_deliveries(
    webhook_id: WebhookId,
    query: Annotated[DeliveryQuery, Query()],
    actor: Reader,
    deliveries: Deliveries,
) -> Page[Any]:
    """List what was sent, and what is to be. For admins."""
    return await deliveries.page(actor, webhook_id, query)


@router.get("/deliveries/{delivery_id}", response_model=DeliveryShown, responses=SHOWN | declare(*INSIDE))
async def get_delivery(
    delivery_id: DeliveryId,
    actor: Reader,
    deliveries: Deliveries,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a delivery: the body, and of each attempt the request, the answer and the time. For admins."""
    return shown(response, await deliveries.get(actor, delivery_id), if_none_match)


@router.post("/webhooks/{webhook_id}/pings", status_code=201, responses=CREATED | declare(*OF_WEBHOOK))
async def ping_webhook(
    webhook_id: WebhookId, actor: Writer, deliveries: Deliveries, response: Response
) -> DeliveryShown:
    """Send a message that says nothing, once, to see whether it arrives. For admins."""
    return created(response, "/deliveries", await deliveries.ping(actor, webhook_id))


@router.post(
    "/deliveries/{delivery_id}/redelivery",
    responses=TAGGED | declare(*INSIDE, WebhookDisabledError),
)
async def redeliver(
    delivery_id: DeliveryId, actor: Writer, deliveries: Deliveries, response: Response
) -> DeliveryShown:
    """Send it once more, with the same id. For admins."""
    return tagged(response, await deliveries.redeliver(actor, delivery_id))


@router.post(
    "/webhooks/{webhook_id}/redeliveries",
    status_code=202,
    responses=declare(*OF_WEBHOOK, WebhookDisabledError),
)
async def redeliver_since(
    webhook_id: WebhookId, again: Redelivery, actor: Writer, deliveries: Deliveries
) -> RedeliveryRead:
    """Send once more what happened since a moment and was not taken, or all of it. For admins."""
    return await deliveries.redeliver_since(actor, webhook_id, again)
