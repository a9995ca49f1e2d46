from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.http.errors import response_for
from glasswork.core.http.rate_limits import RateLimits
from glasswork.core.telemetry.routes import PROBES


class RateLimitMiddleware:
    """Count requests, refuse those beyond a quota, and have every answer say what is left.

    It stands around the renderer of errors, so that a 500 says it too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        limits: RateLimits = scope["app"].state.rate_limits
        counted = await limits.count(scope)

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *counted.headers]
            await send(message)

        answer = response_for(counted.refusal) if counted.refusal else self.app
        await answer(scope, receive, send_counted)
