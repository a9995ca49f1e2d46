from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import StreamingResponse
from starlette.types import Send

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import BrokenOffError, OutcomeUnknownError, RateLimitError, ServiceUnavailableError
from glasswork.core.http.errors import declare
from glasswork.core.schemas import WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.activity.errors import AheadOfLogError
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import StreamsExhaustedError, TooManyStreamsError
from .schemas import Following, Frame, LastEventId
from .service import Hub

HEARTBEAT_SECONDS = 15
RETRY_MILLISECONDS = 2000

router = APIRouter(tags=["changes"])

Reader = Annotated[Actor, acting(Scope.CHANGES_READ)]
Seen = Annotated[
    LastEventId | SkipJsonSchema[None],
    Header(alias="Last-Event-ID", description="The `id` of the last one seen."),
]

_HEARTBEAT = format_sse_event(comment="ping")
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The changes, each as a `ChangeRead`, until somebody ends it.",
        "content": {
            "text/event-stream": {
                "itemSchema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "pattern": "^[0-9]{1,18}$"},
                        "event": {"type": "string", "examples": ["task.updated"]},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                        "retry": {"type": "integer", "minimum": 0},
                    },
                    "required": ["id", "event", "data"],
                }
            }
        },
    }
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def follow(
    request: Request, workspace_id: WorkspaceId, actor: Reader, last_event_id: Seen = None
) -> AsyncIterator["EventStream"]:
    hub: Hub = request.app.state.hub
    after = int(last_event_id) if last_event_id is not None else None
    with hub.streaming("sse", actor) as stream:
        yield EventStream(hub, await hub.follow(stream, workspace_id, after))


class EventStream(EventSourceResponse):
    """FastAPI's own, given bytes: a `yield` of its kind would make them anew for each who follows."""

    def __init__(self, hub: Hub, following: Following) -> None:
        super().__init__(self._events(hub, following), headers=_HEADERS)
        self._stream = following.stream

    async def stream_response(self, send: Send) -> None:
        try:
            async with self._stream.sending():
                await super().stream_response(send)
        except TimeoutError:
            raise BrokenOffError from None

    async def _events(self, hub: Hub, following: Following) -> AsyncIterator[bytes]:
        yield format_sse_event(
            event="ready",
            data_str=f'{{"seq":{following.seq}}}',
            id=str(following.seq),
            retry=RETRY_MILLISECONDS,
        )
        async with aclosing(hub.missed(following)) as missed:
            async for frame in missed:
                yield _event(frame)
        stream = following.stream
        while stream.is_open:
            item = await stream.take(HEARTBEAT_SECONDS)
            if item is not None:
                yield _event(item[1])
            elif stream.is_open:
                yield _HEARTBEAT


def _event(frame: Frame) -> bytes:
    if frame.event is None:
        frame.event = format_sse_event(event=frame.type, data_str=frame.change, id=str(frame.seq))
    return frame.event


@router.get(
    "/workspaces/{workspace_id}/events",
    response_class=StreamingResponse,  # of its own kind FastAPI would take it that the handler yields
    responses=_STREAM
    | declare(
        *(*AUTHORIZED, WorkspaceNotFoundError, AheadOfLogError),
        *(RateLimitError, TooManyStreamsError),
        *(ServiceUnavailableError, OutcomeUnknownError, StreamsExhaustedError),
    ),
)
async def stream_changes(events: Annotated[EventStream, Depends(follow)]) -> EventStream:
    """Follow every change of a workspace as it comes, as Server-Sent Events.

    The first event, `ready`, says where the stream begins: at the `Last-Event-ID`, or now. Each other one is
    a change, as the change feed shows it, with its `seq` as its `id`: come back with the last one, and none
    is missed.
    """
    return events
