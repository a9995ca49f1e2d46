"""The one way to services of others: bounded in time, size and number, and never to where nobody may look."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_network
from time import perf_counter
from typing import Any, Final

import httpcore2
import httpx2
import stamina
from opentelemetry.trace import get_current_span
from opentelemetry.util.types import AttributeValue

from glasswork.core.addresses import ForbiddenAddressError, GuardedBackend, Resolve
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.telemetry.signals import VERSION, Signals
from glasswork.core.telemetry.traces import client_span

ATTEMPTS: Final = 3
CONNECTIONS: Final = 20
MAX_BYTES: Final = 262_144
_PASSING_STATUSES: Final = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, of which `total` bounds all attempts together, however slowly bytes drip; calls at a time."""

    connect: float = 3
    read: float = 5
    wait: float = 2
    total: float = 10
    connections: int = CONNECTIONS


class Reason(StrEnum):
    ADDRESS = "address"
    """Nobody was called: the URL is none, or leads to where it may not."""
    NAME = "name"
    CONNECTION = "connection"
    TLS = "tls"
    TIME = "time"
    CONTENT = "content"


class OutgoingCallError(ServiceUnavailableError):
    """Whatever goes wrong between us and a service of others; it tells no URL and no words of theirs."""

    code = "OUTGOING_CALL_FAILED"

    def __init__(self, reason: Reason) -> None:
        super().__init__("A service that is needed for this does not answer as it should.")
        self.reason = reason


_PASSING_REASONS: Final = frozenset({Reason.NAME, Reason.CONNECTION})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool
    """False where the body was cut off at the bound."""

    def json(self) -> Any:
        """Return what the body says, or raise OutgoingCallError."""
        try:
            if self.is_whole:
                return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise OutgoingCallError(Reason.CONTENT) from error
        raise OutgoingCallError(Reason.CONTENT)


class _GuardedTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, backend: GuardedBackend, connections: int) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusting(ssl.get_default_verify_paths()),
            max_connections=connections,
            max_keepalive_connections=connections // 2,
            keepalive_expiry=30,
            network_backend=backend,
        )


@lru_cache(maxsize=1)
def _trusting(_: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """Read the certificates once, until they are elsewhere: it takes longer than a call."""
    return ssl.create_default_context()


class Outgoing:
    """Made once in a process; no redirect is followed, no cookie kept, no proxy of the environment asked."""

    def __init__(
        self,
        allowed: Iterable[str],
        signals: Signals | None = None,
        limits: Limits | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """`allowed` are the networks that may be called although they are not public."""
        self._limits = limits or Limits()
        self._signals = signals
        backend = GuardedBackend(map(ip_network, allowed), resolve)
        self._client = httpx2.AsyncClient(
            transport=_GuardedTransport(backend, self._limits.connections),
            timeout=httpx2.Timeout(self._limits.read, connect=self._limits.connect, pool=self._limits.wait),
            # What is not compressed cannot be larger than what was read.
            headers={"User-Agent": f"Glasswork/{VERSION}", "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, max_bytes: int = MAX_BYTES
    ) -> Answer:
        """Ask again when nobody was reached, or a 502, 503 or 504 came."""
        async with self._bounded():
            return await _retrying(self._look, url, headers or {}, max_bytes)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], max_bytes: int = MAX_BYTES
    ) -> Answer:
        """Once: what was sent may have had its effect although no answer came."""
        async with self._bounded():
            return await self._call("POST", url, headers, body, max_bytes)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.total):
                yield
        except TimeoutError as error:
            raise OutgoingCallError(Reason.TIME) from error

    async def _look(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Answer:
        answer = await self._call("GET", url, headers, None, max_bytes)
        if answer.status in _PASSING_STATUSES:
            raise OutgoingCallError(Reason.CONNECTION)
        return answer

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, max_bytes: int
    ) -> Answer:
        with _translated():
            request = self._client.build_request(method, url, headers=headers, content=body)
            with self._observed(request):
                response = await self._client.send(request, stream=True)
                try:
                    get_current_span().set_attribute("http.response.status_code", response.status_code)
                    content, is_whole = await _read(response, max_bytes)
                finally:
                    await response.aclose()
        return Answer(response.status_code, response.headers, content, is_whole)

    @contextmanager
    def _observed(self, request: httpx2.Request) -> Iterator[None]:
        if self._signals is None:
            yield
            return
        told: dict[str, AttributeValue] = {
            "http.request.method": request.method,
            "server.address": request.url.host,
            "server.port": request.url.port or (443 if request.url.scheme == "https" else 80),
        }
        began, outcome = perf_counter(), "error"
        try:
            with client_span(self._signals.tracer, request.method, told):
                yield
            outcome = "ok"
        finally:
            seconds = self._signals.metrics.outgoing_seconds.labels(request.method, outcome)
            seconds.observe(perf_counter() - began)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, OutgoingCallError) and error.reason in _PASSING_REASONS


_retrying = stamina.AsyncRetryingCaller(
    attempts=ATTEMPTS, timeout=None, wait_initial=0.1, wait_max=1, wait_jitter=0.1
).on(_is_passing)


@asynccontextmanager
async def open_outgoing(
    allowed: Iterable[str], signals: Signals | None, limits: Limits | None = None
) -> AsyncIterator[Outgoing]:
    outgoing = Outgoing(allowed, signals, limits)
    try:
        yield outgoing
    finally:
        await outgoing.close()


async def _read(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > max_bytes:
            return bytes(content[:max_bytes]), False
    return bytes(content), True


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ForbiddenAddressError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise OutgoingCallError(Reason.ADDRESS) from error
    except httpx2.TimeoutException as error:
        raise OutgoingCallError(Reason.TIME) from error
    except httpx2.HTTPError as error:
        raise OutgoingCallError(_reason(error)) from error


def _reason(error: BaseException) -> Reason:
    """By what is behind it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Reason.TLS
        if isinstance(cause, socket.gaierror | UnicodeError):
            return Reason.NAME
        cause = cause.__cause__ or cause.__context__
    return Reason.CONNECTION
