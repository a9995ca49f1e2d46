from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.errors import PayloadTooLargeError
from glasswork.core.http.connections import SPOILT
from glasswork.core.request_headers import header_of
from glasswork.core.telemetry.routes import Operation, Place

_LONGEST_LENGTH = 18  # digits; Python refuses to read a number of more than 4300
_BODILESS = {"GET", "HEAD"}
"""Of these nobody reads a body; who receives something only looks whether the caller is still there."""


class BodyLimitMiddleware:
    """Refuse a large body before it is read, or, when its length is not declared, while it is.

    One of which no more is to be had is refused while it is read, too.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[Operation, int]) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        place: Place = scope["glasswork.place"]
        max_bytes = self._larger.get((scope["method"], place.template), self._max_bytes)
        declared = header_of(scope, b"content-length")
        too_long = len(declared) > _LONGEST_LENGTH or (declared.isdigit() and int(declared) > max_bytes)
        if too_long:
            raise PayloadTooLargeError(f"The body may have {max_bytes} bytes.")
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            if SPOILT in scope and scope["method"] not in _BODILESS:
                raise HTTPException(scope[SPOILT])
            received += len(message.get("body", b""))
            if received > max_bytes:
                # FastAPI turns any other exception of a body's reader into a 400.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self.app(scope, receive_limited, send)
