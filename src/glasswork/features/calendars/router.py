from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from glasswork.core.concurrency import StaleVersionError
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.files import Wanted
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import API_PREFIX, CREATED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import CalendarFeedId, WorkspaceId
from glasswork.features.accounts.auth import RECENTLY_SIGNED_IN, SIGNED_IN, CurrentActor
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import CalendarFeedNotFoundError, CalendarNotFoundError
from .schemas import CalendarFeedCreate, CalendarFeedIssued, CalendarFeedQuery, CalendarFeedRead
from .service import CalendarFeedService, OpenCalendar

router = APIRouter(tags=["calendars"])

_MEDIA_TYPE: Final = "text/calendar"
_CALENDAR: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "All of it.", "content": {_MEDIA_TYPE: {"schema": {"type": "string"}}}},
    304: {"description": "It still has the ETag named in If-None-Match."},
}


async def get_calendar_feeds(request: Request, session: Session) -> CalendarFeedService:
    return CalendarFeedService(session, f"{request.app.state.settings.public_url}{API_PREFIX}")


CalendarFeeds = Annotated[CalendarFeedService, Depends(get_calendar_feeds)]


@router.post(
    "/workspaces/{workspace_id}/calendar-feeds",
    status_code=201,
    responses=CREATED | declare(*RECENTLY_SIGNED_IN, WorkspaceNotFoundError),
    dependencies=[NotCached],
)
async def create_calendar_feed(
    workspace_id: WorkspaceId,
    new: CalendarFeedCreate,
    actor: CurrentActor,
    feeds: CalendarFeeds,
    response: Response,
) -> CalendarFeedIssued:
    """Make a link by which a calendar shows open tasks with their dates; the answer holds it, this once.

    Whoever has the link sees what I may see at that moment, until I delete the feed. Needs a recent login.
    """
    return created(response, "/calendar-feeds", await feeds.create(actor, workspace_id, new))


@router.get(
    "/workspaces/{workspace_id}/calendar-feeds",
    response_model=PageRead[CalendarFeedRead],
    responses=declare(*SIGNED_IN, WorkspaceNotFoundError),
)
async def list_calendar_feeds(
    workspace_id: WorkspaceId,
    query: Annotated[CalendarFeedQuery, Query()],
    actor: CurrentActor,
    feeds: CalendarFeeds,
) -> Page[Any]:
    """List my calendar feeds of a workspace, without their links."""
    return await feeds.page(actor, workspace_id, query)


@router.get(
    "/calendar-feeds/{calendar_feed_id}",
    response_model=CalendarFeedRead,
    responses=SHOWN | declare(*SIGNED_IN, CalendarFeedNotFoundError),
)
async def get_calendar_feed(
    calendar_feed_id: CalendarFeedId,
    actor: CurrentActor,
    feeds: CalendarFeeds,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a calendar feed of mine: all but its link."""
    return shown(response, await feeds.get(actor, calendar_feed_id), if_none_match)


@router.delete(
    "/calendar-feeds/{calendar_feed_id}",
    status_code=204,
    responses=declare(*SIGNED_IN, CalendarFeedNotFoundError, StaleVersionError),
)
async def delete_calendar_feed(
    calendar_feed_id: CalendarFeedId, actor: CurrentActor, feeds: CalendarFeeds, if_match: IfMatch
) -> None:
    """Delete a calendar feed: its link shows nothing from the next request on."""
    await feeds.delete(actor, calendar_feed_id, if_match)


@router.get(
    "/calendars/{calendar_token}.ics",
    response_class=Response,
    responses=_CALENDAR | declare(CalendarNotFoundError),
    openapi_extra=PUBLIC | rated("120/minute"),
)
async def follow_calendar_feed(
    calendar_token: str,
    feeds: CalendarFeeds,
    if_none_match: Annotated[
        str | None, Header(description="Answer without a body if the calendar still has this ETag.")
    ] = None,
) -> Response:
    """Show the calendar that a feed's link leads to (iCalendar, RFC 5545).

    In it are open tasks with a date, from 90 days ago on: the 1,000 that come first.
    """
    return await _served(await feeds.open(calendar_token), Wanted(if_none_match=if_none_match))


async def _served(calendar: OpenCalendar, wanted: Wanted) -> Response:
    headers = {"ETag": f'"{calendar.tag}"', "Cache-Control": "private, no-cache"}
    if wanted.has(headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(await calendar.write(), headers=headers, media_type=_MEDIA_TYPE)
