"""Callers who take their time, or send too much: each is bounded, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from socket import MSG_DONTWAIT
from time import monotonic, sleep

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from websockets.sync.client import connect

from glasswork.core.settings import Settings
from tests.core.http.answers import make_offline_app
from tests.guarded import BOUNDS, GET, HEAD, PATIENCE, Caller, Guarded, guarded
from tests.processes import until

REGISTER = b"POST /api/v1/auth/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LONG = 5 * BOUNDS.head_seconds
"""Much longer than any bound, on a machine that does other things too."""


async def ticks() -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(10):
            await asyncio.sleep(0.1)
            yield b"tick"

    return StreamingResponse(content(), headers={"Content-Length": "40"})


async def flood() -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**20)
            await asyncio.sleep(0)

    return StreamingResponse(content())


async def repeat(talker: WebSocket) -> None:
    await talker.accept()
    async for text in talker.iter_text():
        await talker.send_text(text)


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    app = make_offline_app(settings)

    app.add_api_route("/ticks", ticks)
    app.add_api_route("/flood", flood)
    app.add_api_websocket_route("/repeat", repeat)
    return app


@pytest.fixture(scope="module")
def guard(app: FastAPI) -> Iterator[Guarded]:
    with guarded(app) as guard:
        yield guard


@pytest.fixture
def caller(guard: Guarded) -> Iterator[Caller]:
    with Caller(guard.port) as caller:
        yield caller


def post(body: bytes, declared: int | None = None) -> bytes:
    length = len(body) if declared is None else declared
    return REGISTER + b"Content-Length: %d\r\n\r\n" % length + body


class TestHead:
    def test_one_that_trickles_is_given_up(self, guard: Guarded, caller: Caller) -> None:
        before = guard.refused("slow_head")
        answer = caller.trickle(HEAD + b"X-Long: " + b"a" * 2000)
        assert (answer.status, answer.error["code"]) == (408, "REQUEST_TIMEOUT")
        assert answer.headers["connection"] == "close"
        assert caller.is_over()
        assert guard.refused("slow_head") == before + 1

    def test_so_is_that_of_a_later_request(self, caller: Caller) -> None:
        assert caller.send(GET).read().status == 200
        assert caller.trickle(HEAD + b"X-Long: " + b"a" * 2000).status == 408
        assert caller.is_over()

    def test_so_is_one_behind_an_answer(self, caller: Caller) -> None:
        assert caller.send(GET + HEAD).read().status == 200
        assert caller.read().status == 408
        assert caller.is_over()

    def test_one_that_comes_in_two_parts_is_answered(self, caller: Caller) -> None:
        caller.send(HEAD[:20])
        assert caller.send(GET[20:]).read().status == 200
        assert caller.send(GET).read().status == 200

    def test_who_says_nothing_is_told_nothing(self, caller: Caller) -> None:
        assert caller.is_over()

    def test_who_says_nothing_more_is_told_nothing(self, caller: Caller) -> None:
        assert caller.send(GET).read().status == 200
        assert caller.is_over()

    @pytest.mark.parametrize("parts", [1, 100])
    @pytest.mark.parametrize("begin", [HEAD + b"X-Long: ", b"GET /"], ids=["header", "target"])
    def test_a_long_one_is_refused(self, guard: Guarded, caller: Caller, begin: bytes, parts: int) -> None:
        before = guard.refused("large_head")
        size = 500_000 // parts
        caller.send(begin)
        for _ in range(parts):
            caller.send(b"a" * size)
        answer = caller.read()
        assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")
        assert answer.headers["connection"] == "close"
        assert caller.is_over()
        assert guard.refused("large_head") == before + 1

    def test_one_of_just_that_length_is_answered(self, caller: Caller) -> None:
        spare = BOUNDS.head_bytes - len(HEAD + b"X-Long: \r\n\r\n")
        assert caller.send(HEAD + b"X-Long: " + b"a" * spare + b"\r\n\r\n").read().status == 200
        assert caller.send(HEAD + b"X-Long: " + b"a" * (spare + 1) + b"\r\n\r\n").read().status == 431

    def test_a_long_one_behind_others_is_not_read(self, caller: Caller) -> None:
        caller.send(GET * 3 + HEAD + b"X-Long: " + b"a" * 500_000)
        assert [caller.read().status for _ in range(3)] == [200] * 3

    def test_what_is_no_http_is_told_so(self, guard: Guarded, caller: Caller) -> None:
        before = guard.refused("malformed")
        answer = caller.send(b"EHLO example.com\r\n\r\n").read()
        assert (answer.status, answer.error["code"]) == (400, "MALFORMED_REQUEST")
        assert caller.is_over()
        assert guard.refused("malformed") == before + 1

    def test_many_requests_at_once_are_answered_in_order(self, caller: Caller) -> None:
        paths = [b"/health", b"/nowhere"] * 50
        requests = [
            b"GET %b HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n" % (path, b"x" * 50) for path in paths
        ]
        assert len(b"".join(requests)) > 2 * BOUNDS.head_bytes
        caller.send(b"".join(requests))
        assert [caller.read().status for _ in paths] == [200, 404] * 50


class TestBody:
    @pytest.mark.parametrize("data", [b"", b" " * 2000], ids=["silence", "bytes now and then"])
    def test_one_that_does_not_keep_coming_is_given_up(
        self, guard: Guarded, caller: Caller, data: bytes
    ) -> None:
        before = guard.refused("slow_body")
        answer = caller.send(post(b"{", 10_000)).trickle(data)
        assert (answer.status, answer.error["code"]) == (408, "REQUEST_TIMEOUT")
        assert answer.headers["connection"] == "close"
        assert caller.is_over()
        assert guard.refused("slow_body") == before + 1

    def test_so_is_one_in_chunks(self, caller: Caller) -> None:
        caller.send(REGISTER + b"Transfer-Encoding: chunked\r\n\r\n")
        assert caller.trickle(b"1\r\n \r\n" * 300).status == 408
        assert caller.is_over()

    def test_one_that_keeps_coming_may_take_its_time(self, app: FastAPI) -> None:
        with guarded(app, body_rate=2, body_seconds=1) as guard, Caller(guard.port) as caller:
            began = monotonic()
            answer = caller.send(post(b"", 40)).trickle(b"{" * 40)
            assert (answer.status, answer.error["code"]) == (400, "MALFORMED_REQUEST")
            assert monotonic() - began > 1
            assert caller.send(GET).read().status == 200

    def test_a_caller_may_ask_before_it_sends(self, caller: Caller) -> None:
        caller.send(REGISTER + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert caller.read().status == 100
        assert caller.send(b"{}").read().status == 422
        assert caller.send(GET).read().status == 200

    @pytest.mark.parametrize("how", [b"Content-Length: 52428800", b"Transfer-Encoding: chunked"])
    def test_one_that_is_refused_is_not_read_for_ever(self, caller: Caller, how: bytes) -> None:
        chunk = b"%x\r\n%b\r\n" % (2**20, bytes(2**20))
        caller.send(REGISTER + how + b"\r\n\r\n" + chunk + chunk)
        assert caller.read().status == 413
        began = monotonic()
        while monotonic() - began < LONG and not ended(caller):
            caller.send(b" ")
        assert ended(caller)

    def test_one_that_is_refused_and_comes_is_followed_by_others(self, caller: Caller) -> None:
        assert caller.send(post(b" " * 2**21)).read().status == 413
        assert caller.send(GET).read().status == 200


class TestAnswer:
    def test_one_may_go_on_for_longer_than_a_request(self, caller: Caller) -> None:
        assert caller.send(b"GET /ticks HTTP/1.1\r\nHost: localhost\r\n\r\n").read().body == b"tick" * 10
        assert caller.send(GET).read().status == 200

    def test_who_waits_for_it_may_begin_the_next_request(self, caller: Caller) -> None:
        caller.send(b"GET /ticks HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEAD)
        assert caller.read().body == b"tick" * 10
        assert caller.send(b"\r\n").read().status == 200

    def test_one_that_nobody_takes_is_given_up(self, guard: Guarded, caller: Caller) -> None:
        caller.send(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        active = "http_server_active_requests"
        until(lambda: guard.counted(active) == 1)
        assert until(lambda: guard.counted(active) == 0)

    def test_a_websocket_outlives_all_bounds(self, guard: Guarded) -> None:
        with connect(f"ws://127.0.0.1:{guard.port}/repeat", proxy=None) as talker:
            for _ in range(10):
                talker.send("again")
                assert talker.recv(PATIENCE) == "again"
                sleep(BOUNDS.head_seconds / 5)


def test_nobody_notices_three_hundred_who_dawdle(app: FastAPI) -> None:
    with guarded(app, head_seconds=60, body_seconds=60) as guard, ExitStack() as stack:
        for number in range(300):
            stack.enter_context(Caller(guard.port)).send(HEAD if number % 2 else post(b"{", 100))
        until(lambda: guard.counted("glasswork_connections") == 300)
        with Caller(guard.port) as caller:
            began = monotonic()
            assert [caller.send(GET).read().status for _ in range(50)] == [200] * 50
            assert monotonic() - began < 10


def ended(caller: Caller) -> bool:
    """Whether the other side has cut it off, in whatever way."""
    try:
        return caller.socket.recv(1, MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
