import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from glasswork.core.db import Database
from glasswork.core.outgoing import Limits, Outgoing, OutgoingCallError, Reason
from glasswork.core.telemetry.signals import Signals
from tests.conftest import make_settings

from .outside import Outside, answer, drip, flood, hang_up, self_signed

pytestmark = pytest.mark.anyio

SHORT = Limits(connect=1, read=0.5, wait=0.2, total=1, connections=2)
HERE = "127.0.0.1"
NOWHERE = "postgresql+asyncpg://nobody@nowhere/nothing"


@pytest.fixture
async def client() -> AsyncIterator[Outgoing]:
    settings = make_settings(NOWHERE, outgoing_allowed=("127.0.0.0/8",))
    outgoing = Outgoing(settings.outgoing_allowed, Signals("api"), SHORT)
    yield outgoing
    await outgoing.close()


async def reason_of(call: Any) -> Reason:
    with pytest.raises(OutgoingCallError) as failure:
        await call
    return failure.value.reason


async def test_says_who_asks_and_reads_the_answer(client: Outgoing) -> None:
    async with Outside([answer(body=b'{"a": 1}')]).listening() as outside:
        found = await client.get(f"http://{HERE}:{outside.port}/x?y=1", {"X-Own": "1"})
    assert (found.status, found.json()) == (200, {"a": 1})
    (request,) = outside.requests
    assert request.startswith(b"GET /x?y=1 HTTP/1.1\r\n")
    assert b"User-Agent: Glasswork/" in request
    assert b"X-Own: 1" in request


async def test_a_redirect_is_an_answer_like_another_one(client: Outgoing) -> None:
    async with Outside().listening() as canary:
        moved = answer("302 Found", b"", f"Location: http://{HERE}:{canary.port}/")
        async with Outside([moved]).listening() as outside:
            found = await client.get(f"http://{HERE}:{outside.port}/")
    assert found.status == 302
    assert canary.connections == 0


async def test_no_cookie_is_kept(client: Outgoing) -> None:
    async with Outside([answer("200 OK", b"{}", "Set-Cookie: a=1")]).listening() as outside:
        for _ in range(2):
            await client.get(f"http://{HERE}:{outside.port}/")
    assert b"cookie" not in outside.requests[1].lower()


async def test_the_environment_names_no_proxy(client: Outgoing, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Outside().listening() as proxy, Outside().listening() as outside:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HERE}:{proxy.port}")
        await client.get(f"http://{HERE}:{outside.port}/")
    assert (proxy.connections, outside.connections) == (0, 1)


class TestBounds:
    async def test_a_server_that_drips(self, client: Outgoing) -> None:
        async with Outside([drip]).listening() as outside:
            began = monotonic()
            assert await reason_of(client.get(f"http://{HERE}:{outside.port}/")) is Reason.TIME
        assert monotonic() - began < 5 * SHORT.total  # else it would drip for hours

    async def test_a_server_that_says_nothing(self, client: Outgoing) -> None:
        with socket.create_server((HERE, 0)) as silent:
            url = f"http://{HERE}:{silent.getsockname()[1]}/"
            assert await reason_of(client.post(url, b"x", {})) is Reason.TIME

    async def test_an_answer_that_does_not_end(self, client: Outgoing) -> None:
        async with Outside([flood]).listening() as outside:
            found = await client.post(f"http://{HERE}:{outside.port}/", b"x", {}, max_bytes=1000)
        assert (len(found.body), found.is_whole) == (1000, False)
        with pytest.raises(OutgoingCallError):
            found.json()

    async def test_an_answer_that_just_fits(self, client: Outgoing) -> None:
        async with Outside([answer(body=b'"xxxxxxxx"')]).listening() as outside:
            found = await client.get(f"http://{HERE}:{outside.port}/", max_bytes=10)
        assert (found.json(), found.is_whole) == ("xxxxxxxx", True)

    async def test_what_is_compressed_is_not_unpacked(self, client: Outgoing) -> None:
        packed = answer("200 OK", b"\x1f\x8b" + bytes(20), "Content-Encoding: gzip")
        async with Outside([packed]).listening() as outside:
            found = await client.get(f"http://{HERE}:{outside.port}/")
        assert found.body == b"\x1f\x8b" + bytes(20)

    async def test_calls_at_a_time(self, client: Outgoing) -> None:
        async with Outside([drip, drip, answer()]).listening() as outside:
            url = f"http://{HERE}:{outside.port}/"
            reasons = await asyncio.gather(*(reason_of(client.post(url, b"", {})) for _ in range(3)))
            assert reasons == [Reason.TIME] * 3
            assert outside.connections == SHORT.connections
            assert (await client.post(url, b"", {})).status == 200


class TestAnotherAttempt:
    @pytest.mark.parametrize("first", [hang_up, answer("503 Busy"), answer("502 Bad"), answer("504 Late")])
    async def test_heals_a_read(self, client: Outgoing, first: Any) -> None:
        async with Outside([first, answer(body=b"1")]).listening() as outside:
            assert (await client.get(f"http://{HERE}:{outside.port}/")).json() == 1
        assert len(outside.requests) == 2

    async def test_is_not_made_for_ever(self, client: Outgoing) -> None:
        async with Outside([hang_up]).listening() as outside:
            assert await reason_of(client.get(f"http://{HERE}:{outside.port}/")) is Reason.CONNECTION
        assert len(outside.requests) == 3

    @pytest.mark.parametrize("only", [answer("500 Bug"), answer("404 No"), answer("429 Slow down")])
    async def test_is_not_made_where_the_answer_will_be_the_same(self, client: Outgoing, only: Any) -> None:
        async with Outside([only]).listening() as outside:
            assert (await client.get(f"http://{HERE}:{outside.port}/")).status >= 400
        assert len(outside.requests) == 1

    async def test_is_never_made_of_a_post(self, client: Outgoing) -> None:
        async with Outside([hang_up, answer()]).listening() as outside:
            url = f"http://{HERE}:{outside.port}/"
            assert await reason_of(client.post(url, b"x", {})) is Reason.CONNECTION
            assert len(outside.requests) == 1
            assert (await client.post(url, b"x", {})).status == 200


async def test_a_server_that_dies_and_comes_back_is_found_again(client: Outgoing) -> None:
    async with Outside().listening() as outside:
        url = f"http://{HERE}:{outside.port}/"
        assert (await client.get(url)).status == 200
    assert await reason_of(client.get(url)) is Reason.CONNECTION
    async with Outside().listening(port=outside.port):
        assert (await client.get(url)).status == 200


async def test_its_failure_is_not_taken_for_the_databases(client: Outgoing, database: Database) -> None:
    async with Outside([hang_up]).listening() as outside:
        with pytest.raises(OutgoingCallError):
            async with database.transaction():
                await client.post(f"http://{HERE}:{outside.port}/", b"x", {})


class TestEncrypted:
    """Whose certificate nobody vouches for, or who shows that of another one, hears nothing."""

    @pytest.fixture
    async def outside(self, tmp_path: Path) -> AsyncIterator[Outside]:
        async with Outside().listening(tls=self_signed(tmp_path, "localhost")) as outside:
            yield outside

    async def test_by_a_stranger(self, client: Outgoing, outside: Outside) -> None:
        assert await reason_of(client.get(f"https://localhost:{outside.port}/")) is Reason.TLS
        assert outside.requests == []

    async def test_as_somebody_else_or_as_named(
        self, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        client = Outgoing(("127.0.0.0/8", "::1/128"))
        assert await reason_of(client.get(f"https://{HERE}:{outside.port}/")) is Reason.TLS
        assert outside.requests == []
        assert (await client.get(f"https://localhost:{outside.port}/")).status == 200
        await client.close()
