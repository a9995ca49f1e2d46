import asyncio
import random
from collections.abc import Container

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.errors import TransientError
from glasswork.core.http.replays import replaying
from glasswork.core.telemetry.context import current_request
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.routes import Operation, Place

TRIES = 3
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2


class RetryMiddleware:
    """Begin a request anew, as if it had just come, when the database undid all that it did.

    What a handler does outside of its transaction it does again: such effects must bear that.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, once: Container[Operation]) -> None:
        """`once`: operations whose bodies are too large to be kept."""
        self.app = app
        self._once = once
        self._metrics = metrics
        self._pausing = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place: Place | None = scope.get("glasswork.place")
        if scope["type"] != "http" or (place and (scope["method"], place.template) in self._once):
            await self.app(scope, receive, send)
            return
        received: list[Message] = []
        is_answered = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        for tried in range(1, TRIES + 1):
            try:
                await self.app(dict(scope), replaying(received, receive), send_and_note)
            except TransientError as error:
                if is_answered or tried == TRIES:
                    raise
                self._metrics.retries.labels(error.reason).inc()
                current_request().begin_again()
                if error.reason != "connection":
                    await self._pause()
            else:
                return

    async def _pause(self) -> None:
        """The longer, the more do: those that met at the same rows come apart."""
        self._pausing += 1
        longest = min(self._pausing * PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        try:
            await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311 (no secret)
        finally:
            self._pausing -= 1
