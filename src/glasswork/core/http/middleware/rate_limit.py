import math
from ipaddress import IPv6Address, ip_address, ip_network
from time import time

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from glasswork.core.errors import RateLimitError
from glasswork.core.telemetry.routes import PROBES


class RateLimitMiddleware:
    """At most so many requests of one address, in this process."""

    def __init__(self, app: ASGIApp, rate: str) -> None:
        self.app = app
        self._rate = parse(rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PROBES:
            await self._hit(client_key(scope))
        await self.app(scope, receive, send)

    async def _hit(self, key: str) -> None:
        if not await self._limiter.hit(self._rate, key):
            window = await self._limiter.get_window_stats(self._rate, key)
            raise RateLimitError(retry_after=max(1, math.ceil(window.reset_time - time())))


def client_key(scope: Scope) -> str:
    """The caller's address; of IPv6 the /64, since one host owns all of it.

    On a socket of both families all of IPv4 lies in one /64, as ::ffff:192.0.2.1.
    """
    host = (scope.get("client") or ("unknown", 0))[0].partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return host
