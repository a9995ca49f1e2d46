from starlette.types import ASGIApp, Receive, Scope, Send

from glasswork.core.errors import MalformedRequestError
from glasswork.core.request_headers import header_of
from glasswork.core.telemetry.routes import PROBES


class UntrustedHostError(MalformedRequestError):
    code = "UNTRUSTED_HOST"

    def __init__(self) -> None:
        super().__init__("This service does not answer for that host (TRUSTED_HOSTS).")


class TrustedHostsMiddleware:
    """Refuse a Host header that nobody gave us; probes come by address and are let through."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self.app = app
        self._any = "*" in hosts
        self._hosts = {host.lower() for host in hosts}
        self._suffixes = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["path"] not in PROBES and not self._trusts(scope):
            raise UntrustedHostError
        await self.app(scope, receive, send)

    def _trusts(self, scope: Scope) -> bool:
        if self._any:
            return True
        header = header_of(scope, b"host").lower()
        name, _, port = header.rpartition(":")
        host = name if port.isdigit() and name else header
        return host in self._hosts or bool(self._suffixes and host.endswith(self._suffixes))
