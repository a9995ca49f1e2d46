from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import AsSystem, Session
from glasswork.core.http.errors import declare
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import NotificationId
from glasswork.features.accounts.auth import AUTHORIZED, acting

from .errors import NotificationNotFoundError, SubscriptionNotFoundError
from .schemas import NotificationCounts, NotificationQuery, NotificationRead, Preferences, PreferencesWrite
from .service import NotificationService, PreferenceService, UnsubscriptionService

router = APIRouter(prefix="/notifications", tags=["notifications"])

Reader = Annotated[Actor, acting(Scope.PROFILE_READ)]
Writer = Annotated[Actor, acting(Scope.PROFILE_WRITE)]


async def get_notifications(session: Session) -> NotificationService:
    return NotificationService(session)


async def get_preferences(session: Session) -> PreferenceService:
    return PreferenceService(session)


Notifications = Annotated[NotificationService, Depends(get_notifications)]
Preferring = Annotated[PreferenceService, Depends(get_preferences)]


async def get_unsubscriptions(session: Session, request: Request) -> UnsubscriptionService:
    return UnsubscriptionService(session, request.app.state.keys)


Unsubscriptions = Annotated[UnsubscriptionService, Depends(get_unsubscriptions)]


_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_PAGE = """<!doctype html>
<html lang="en">
<title>Glasswork</title>
<form method="post"><button>No such letters any more</button></form>
</html>
"""
_PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; form-action 'self'"}


def _page(_: object) -> HTMLResponse:
    return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)


@router.get("", response_model=PageRead[NotificationRead], responses=declare(*AUTHORIZED))
async def list_notifications(
    query: Annotated[NotificationQuery, Query()], actor: Reader, notifications: Notifications
) -> Page[Any]:
    """List what I am told, of all workspaces. What I may no longer see is not there."""
    return await notifications.page(actor, query)


@router.get("/counts", responses=declare(*AUTHORIZED))
async def count_notifications(actor: Reader, notifications: Notifications) -> NotificationCounts:
    """Count what I have not read yet."""
    return await notifications.counts(actor)


@router.get("/preferences", responses=declare(*AUTHORIZED))
async def get_notification_preferences(actor: Reader, preferences: Preferring) -> Preferences:
    """Show how I want to be told, by kind and project."""
    return await preferences.show(actor)


@router.put("/preferences", responses=declare(*AUTHORIZED))
async def set_notification_preferences(
    new: PreferencesWrite, actor: Writer, preferences: Preferring
) -> Preferences:
    """Say how I want to be told; it replaces all that I have said before."""
    return await preferences.replace(actor, new)


@router.put("/read", status_code=204, responses=declare(*AUTHORIZED))
async def read_all_notifications(actor: Writer, notifications: Notifications) -> None:
    """Mark all as read."""
    await notifications.mark_all(actor)


@router.get(
    "/unsubscribe/{token}",
    response_class=Response,
    responses=_HTML | declare(SubscriptionNotFoundError),
    openapi_extra=PUBLIC,
)
async def show_unsubscription(token: str, unsubscriptions: Unsubscriptions) -> HTMLResponse:
    """Show a page with a button that ends letters; to open it ends nothing, as programs open links too."""
    return _page(unsubscriptions.read(token))


@router.post(
    "/unsubscribe/{token}",
    status_code=204,
    responses=declare(SubscriptionNotFoundError),
    dependencies=[AsSystem],
    openapi_extra=PUBLIC,
)
async def unsubscribe(token: str, unsubscriptions: Unsubscriptions) -> None:
    """Get no letters of that kind any more; for the link in one of them (RFC 8058)."""
    await unsubscriptions.unsubscribe(token)


@router.get(
    "/{notification_id}",
    response_model=NotificationRead,
    responses=declare(*AUTHORIZED, NotificationNotFoundError),
)
async def get_notification(
    notification_id: NotificationId, actor: Reader, notifications: Notifications
) -> Any:
    """Show one thing that I am told."""
    return await notifications.get(actor, notification_id)


@router.put(
    "/{notification_id}/read",
    response_model=NotificationRead,
    responses=declare(*AUTHORIZED, NotificationNotFoundError),
)
async def read_notification(
    notification_id: NotificationId, actor: Writer, notifications: Notifications
) -> Any:
    """Mark one as read. Repeating it changes nothing."""
    return await notifications.mark(actor, notification_id, read=True)


@router.delete(
    "/{notification_id}/read",
    response_model=NotificationRead,
    responses=declare(*AUTHORIZED, NotificationNotFoundError),
)
async def unread_notification(
    notification_id: NotificationId, actor: Writer, notifications: Notifications
) -> Any:
    """Mark one as not read yet. Repeating it changes nothing."""
    return await notifications.mark(actor, notification_id, read=False)
