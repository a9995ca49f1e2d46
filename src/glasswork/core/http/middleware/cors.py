from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from glasswork.core.errors import MalformedRequestError
from glasswork.core.http.errors import response_for
from glasswork.core.http.middleware.request_context import HEADER as REQUEST_ID_HEADER
from glasswork.core.http.middleware.request_context import TIMING_HEADERS
from glasswork.core.http.resources import REPLAYED


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

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004
            return response
        return response_for(PreflightRefusedError())
