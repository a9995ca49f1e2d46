"""How a connection is refused before there is a request that the app could answer."""

import json
from contextvars import copy_context

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from glasswork.core.errors import AppError
from glasswork.core.telemetry.callers import short_address
from glasswork.core.telemetry.context import begin_request

log = structlog.get_logger()


def refusal_of(error: AppError, request_id: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """What goes over the wire when no app has a say; it looks as `errors.py` makes it."""
    told = {"code": error.code, "message": error.message, "details": error.details, "request_id": request_id}
    body = json.dumps({"error": told}).encode()
    own = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": request_id,
        **error.headers,
    }
    lines = [*headers, *((name.lower().encode(), value.encode()) for name, value in own.items())]
    return b"".join([STATUS_LINE[error.status], *(b"%b: %b\r\n" % line for line in lines), b"\r\n", body])


def log_refusal(error: AppError, request_id: str, client: tuple[str, int] | None) -> None:
    """Write a line that has the id that the caller is told."""

    def write() -> None:
        begin_request(request_id)
        address = short_address(client[0]) if client else None
        log.info("connection.refused", error_code=error.code, client_ip=address)

    copy_context().run(write)
