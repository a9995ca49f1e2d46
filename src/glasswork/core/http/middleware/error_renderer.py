from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.http.errors import response_for


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
            if started or scope["type"] != "http":
                raise
            await response_for(error)(scope, receive, send)
