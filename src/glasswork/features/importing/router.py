from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Send

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import BrokenOffError, RateLimitError
from glasswork.core.http.errors import declare
from glasswork.core.schemas import ImportId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.imports.errors import ImportNotFoundError
from glasswork.features.imports.schemas import ImportRead
from glasswork.features.realtime.errors import StreamsExhaustedError, TooManyStreamsError
from glasswork.features.realtime.schemas import LiveStream

from .service import ImportWatch

router = APIRouter(tags=["imports"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]

_HEARTBEAT = format_sse_event(comment="ping")
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The import as it is, and each time that it has moved, until it has ended.",
        "content": {
            "text/event-stream": {
                "itemSchema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "pattern": "^[0-9]{1,18}$"},
                        "event": {"type": "string", "const": "progress"},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                    },
                    "required": ["id", "event", "data"],
                }
            }
        },
    }
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class ProgressStream(EventSourceResponse):
    def __init__(self, stream: LiveStream, watch: ImportWatch, first: ImportRead) -> None:
        super().__init__(self._events(stream, watch, first), headers=_HEADERS)
        self._stream = stream

    async def stream_response(self, send: Send) -> None:
        try:
            async with self._stream.sending():
                await super().stream_response(send)
        except TimeoutError:
            raise BrokenOffError from None

    async def _events(
        self, stream: LiveStream, watch: ImportWatch, first: ImportRead
    ) -> AsyncIterator[bytes]:
        yield _event(first)
        async for seen in watch.changes(stream, first):
            yield _HEARTBEAT if seen is None else _event(seen)


def _event(seen: ImportRead) -> bytes:
    return format_sse_event(event="progress", data_str=seen.model_dump_json(), id=str(seen.version))


async def follow(request: Request, import_id: ImportId, actor: Reader) -> AsyncIterator[ProgressStream]:
    state = request.app.state
    watch = ImportWatch(state.database, state.keys, actor, import_id)
    with state.hub.streaming("sse", actor) as stream:
        yield ProgressStream(stream, watch, await watch.look())


@router.get(
    "/imports/{import_id}/events",
    response_class=StreamingResponse,
    responses=_STREAM
    | declare(
        *(*AUTHORIZED, ImportNotFoundError),
        *(RateLimitError, TooManyStreamsError, StreamsExhaustedError),
    ),
)
async def follow_import(progress: Annotated[ProgressStream, Depends(follow)]) -> ProgressStream:
    """Follow an import as it moves on, as Server-Sent Events: each is the import as it is then.

    The stream ends with the import. Where it breaks off, open it again: it begins with what is.
    """
    return progress
