import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.errors import AppError, BrokenOffError
from glasswork.core.http.errors import response_for
from glasswork.core.telemetry.context import current_request

log = structlog.get_logger()


class ErrorRendererMiddleware:
    """Turn what the middlewares below refuse, and every bug, into the envelope.

    Starlette renders a 500 outside all middlewares, where it has no request id and no headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] == "lifespan" or isinstance(error, BrokenOffError):
                raise
            if scope["type"] == "websocket" and not isinstance(error, AppError):
                log.exception("websocket.failed")  # no request's line tells of it
            if started:
                current_request().error = error
                raise BrokenOffError from None
            await response_for(error)(scope, receive, send)
