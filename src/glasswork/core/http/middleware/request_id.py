import re
from time import perf_counter

from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.telemetry.context import begin_request, new_request_id

HEADER = "X-Request-ID"

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


class RequestIdMiddleware:
    """Give every request its id and its context, and every answer the id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(HEADER, "")
        context = begin_request(offered if _ACCEPTED.fullmatch(offered) else new_request_id())
        trace.get_current_span().set_attribute("glasswork.request_id", context.request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                MutableHeaders(scope=message)[HEADER] = context.request_id
            elif not message.get("more_body", False):
                context.last_byte = perf_counter()
            await send(message)

        await self.app(scope, receive, send_with_id)
