from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.errors import MalformedRequestError
from glasswork.core.http.errors import response_for
from glasswork.core.http.middleware.request_context import HEADER as REQUEST_ID_HEADER
from glasswork.core.http.middleware.request_context import TIMING_HEADERS
from glasswork.core.http.resources import REPLAYED
from glasswork.core.request_headers import headers_of


class PreflightRefusedError(MalformedRequestError):
    code = "CORS_REFUSED"

    def __init__(self) -> None:
        super().__init__("This origin, method or header is not allowed across origins (CORS_ORIGINS).")


class CorsMiddleware(CORSMiddleware):
    """Starlette's, with its refusals in the envelope. Tokens travel in a header, so no credentials."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                *(
                    "Authorization",
                    "Content-Type",
                    "If-Match",
                    "If-None-Match",
                    "Idempotency-Key",
                    "Last-Event-ID",
                ),
                REQUEST_ID_HEADER,
            ],
            expose_headers=[
                *("ETag", "Location", "Retry-After", REPLAYED, "RateLimit", "RateLimit-Policy"),
                *(REQUEST_ID_HEADER, *TIMING_HEADERS),
            ],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or b"origin" in headers_of(scope):
            await super().__call__(scope, receive, send)
            return

        async def send_varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                _vary(message)
            await send(message)

        await self.app(scope, receive, send_varied)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004
            return response
        return response_for(PreflightRefusedError())


def _vary(message: Message) -> None:
    """Also an answer to who has no origin may be kept, and shown to who has one."""
    headers = [*message.get("headers", ())]
    if any(name == b"vary" for name, _ in headers):
        MutableHeaders(scope=message).add_vary_header("Origin")
    else:
        message["headers"] = [*headers, (b"vary", b"Origin")]
