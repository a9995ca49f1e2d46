"""Requests that turn out to be none, in their bodies or on their way to a WebSocket: all are answered."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from threading import Event

import pytest
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from glasswork.core.settings import Settings
from tests.core.http.answers import make_offline_app
from tests.fuzz.frames import CLOSE, CONTINUATION, PING, TEXT, frame
from tests.fuzz.handshakes import HANDSHAKE, KEY, UPGRADE, VERSION
from tests.guarded import GET, HEAD, PATIENCE, Caller, Guarded, guarded
from tests.processes import until

CHUNKED = b"Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PINGS = frame(PING, bytes(125)) * 1000
REGISTER = b"POST /api/v1/auth/register HTTP/1.1\r\n" + CHUNKED


async def stream() -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.01)
            yield b"tick"

    return StreamingResponse(content(), headers={"Content-Length": "12"})


async def repeat(talker: WebSocket) -> None:
    await talker.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await talker.send_text(await talker.receive_text())


async def insist(talker: WebSocket) -> None:
    """Say something to whoever is gone."""
    await talker.accept()
    await talker.receive()
    with suppress(WebSocketDisconnect):
        await talker.send_text("a")


def talk(caller: Caller) -> Caller:
    """Have a WebSocket repeat what he says."""
    caller.send(HANDSHAKE.replace(b"/api/v1/ws", b"/repeat"))
    assert caller.read().status == 101
    return caller


@pytest.fixture(scope="module")
def are_told() -> Event:
    """Those who wait until their caller is gone."""
    return Event()


@pytest.fixture(scope="module")
def app(settings: Settings, are_told: Event) -> FastAPI:
    async def wait(request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        are_told.set()

    app = make_offline_app(settings)
    app.add_api_route("/wait", wait)
    app.add_api_route("/stream", stream)
    app.add_api_websocket_route("/repeat", repeat)
    app.add_api_websocket_route("/insist", insist)
    return app


@pytest.fixture(scope="module")
def guard(app: FastAPI) -> Iterator[Guarded]:
    with guarded(app) as guard:
        yield guard


@pytest.fixture
def caller(guard: Guarded) -> Iterator[Caller]:
    with Caller(guard.port) as caller:
        yield caller


@pytest.fixture
def talker(caller: Caller) -> Caller:
    return talk(caller)


class TestBody:
    @pytest.mark.parametrize("chunks", [b"zz\r\n", b"2\r\n{}xx", b"-2\r\n", b"f" * 17 + b"\r\n"])
    @pytest.mark.parametrize("parts", [1, 2])
    def test_that_breaks_its_own_frame_is_refused(self, caller: Caller, chunks: bytes, parts: int) -> None:
        begin = REGISTER + b"1\r\n{\r\n"
        for piece in (begin + chunks,) if parts == 1 else (begin, chunks):
            caller.send(piece)
        answer = caller.read()
        assert (answer.status, answer.error["code"]) == (400, "MALFORMED_REQUEST")
        assert answer.headers["connection"] == "close"
        assert caller.is_over()

    def test_of_a_coding_that_has_no_end_is_refused(self, caller: Caller) -> None:
        caller.send(REGISTER.replace(b"chunked", b"gzip") + b"2\r\n{}\r\n0\r\n\r\n")
        assert caller.read().error["code"] == "MALFORMED_REQUEST"
        assert caller.is_over()

    def test_that_nobody_waits_for_breaks_no_answer(self, caller: Caller) -> None:
        answer = caller.send(b"GET /stream HTTP/1.1\r\n" + CHUNKED + b"zz\r\n").read()
        assert (answer.status, answer.body) == (200, b"tick" * 3)
        assert caller.is_over()

    def test_that_is_whole_is_read(self, caller: Caller) -> None:
        assert caller.send(REGISTER + b"2\r\n{}\r\n0\r\n\r\n").read().error["code"] == "VALIDATION_ERROR"
        assert caller.send(GET).read().status == 200


class TestPipeline:
    def test_whose_caller_is_gone_is_told_to_the_request_in_hand(
        self, guard: Guarded, are_told: Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        with Caller(guard.port) as caller:
            caller.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET)
        assert are_told.wait(PATIENCE)
        with Caller(guard.port) as caller:
            assert caller.send(GET).read().status == 200
        assert caplog.records == []


class TestUpgrade:
    @pytest.mark.parametrize(
        "head",
        [
            b"POST /repeat HTTP/1.1\r\n" + KEY + VERSION + b"Content-Length: 2\r\n",
            b"GET /repeat HTTP/1.1\r\n" + KEY + VERSION + b"Content-Length: 2\r\n",
            b"GET /repeat HTTP/1.1\r\n" + KEY + VERSION + b"Transfer-Encoding: chunked\r\n",
            b"GET /repeat HTTP/1.1\r\n" + KEY + VERSION + b"A: " + b"b" * 2000 + b"\r\n" + b"A: b\r\n" * 200,
            b"OPTIONS /repeat HTTP/1.1\r\n" + KEY + VERSION,
            b"GET /repeat HTTP/1.1\r\n" + VERSION,
            b"GET /repeat HTTP/1.1\r\nSec-WebSocket-Key: x\r\n" + VERSION,
            b"GET /repeat HTTP/1.1\r\n" + KEY + b"Sec-WebSocket-Version: 12\r\n",
            b"GET /repeat HTTP/1.1\r\n" + KEY + VERSION + b"Sec-WebSocket-Extensions: ;\r\n",
        ],
        ids=[
            "a POST",
            "a body",
            "chunks",
            "200 headers",
            "OPTIONS",
            "no key",
            "a wrong key",
            "version 12",
            "no extension",
        ],
    )
    def test_by_what_is_no_handshake_is_refused(self, caller: Caller, head: bytes) -> None:
        answer = caller.send(head + b"Host: localhost\r\n" + UPGRADE + b"\r\n{}").read()
        assert (answer.status, answer.error["code"]) == (400, "MALFORMED_REQUEST")
        assert caller.is_over()

    def test_behind_another_request_is_refused(self, caller: Caller) -> None:
        assert caller.send(GET + HANDSHAKE).read().status == 200
        assert caller.is_over()

    def test_to_another_protocol_is_passed_over_and_what_follows_is_not_read(self, caller: Caller) -> None:
        answer = caller.send(HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + GET).read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert caller.is_over()

    @pytest.mark.parametrize("origin", [b"http://[", b"http://[::1", b"http://a]b"])
    def test_from_an_origin_that_is_no_url_is_refused(self, caller: Caller, origin: bytes) -> None:
        caller.send(HANDSHAKE.removesuffix(b"\r\n") + b"Origin: " + origin + b"\r\n\r\n")
        assert caller.read().error["code"] == "ORIGIN_REFUSED"

    def test_by_a_handshake_is_done(self, talker: Caller) -> None:
        assert talker.send(frame(TEXT, b"hello")).take(7) == frame(TEXT, b"hello", mask=None)


class TestMessage:
    def closed_with(self, talker: Caller) -> int:
        opcode, _, *code = talker.take(4)
        assert opcode & 15 == CLOSE
        return int.from_bytes(code)

    @pytest.mark.parametrize("text", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"])
    def test_that_is_no_text_ends_it(
        self, talker: Caller, text: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert self.closed_with(talker.send(frame(TEXT, text))) == 1007
        assert caplog.records == []

    def test_that_is_no_text_before_the_close_ends_it_too(
        self, talker: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert talker.send(frame(TEXT, b"\xff") + frame(CLOSE)).take(3) == frame(CLOSE, mask=None)
        assert caplog.records == []

    def test_to_whom_has_sent_no_frame_is_for_nobody(
        self, guard: Guarded, caller: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        caller.send(HANDSHAKE.replace(b"/api/v1/ws", b"/insist"))
        assert caller.read().status == 101
        assert self.closed_with(caller.send(frame(TEXT, b"a", mask=None))) == 1002
        caller.take(1000)  # what else is told, and the end
        with Caller(guard.port) as other:
            assert other.send(GET).read().status == 200
        assert caplog.records == []

    def test_of_a_letter_in_two_fragments_is_one(self, talker: Caller) -> None:
        euro = "€".encode()
        talker.send(frame(TEXT, euro[:1], fin=False) + frame(CONTINUATION, euro[1:]))
        assert talker.take(5) == frame(TEXT, euro, mask=None)

    def test_of_endless_empty_fragments_ends_it(self, talker: Caller) -> None:
        talker.send(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 1100)
        assert self.closed_with(talker) == 1009

    def test_that_is_large_when_it_is_unpacked_ends_it(self, caller: Caller) -> None:
        offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        caller.send(HANDSHAKE.replace(b"/api/v1/ws", b"/repeat").removesuffix(b"\r\n") + offer)
        assert "permessage-deflate" in caller.read().headers["Sec-WebSocket-Extensions"]
        packer = zlib.compressobj(wbits=-12)
        packed = packer.compress(bytes(50 * 2**20)) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert (
            self.closed_with(caller.send(frame(TEXT, packed.removesuffix(b"\0\0\xff\xff"), reserved=4)))
            == 1009
        )

    def test_of_many_fragments_is_taken(self, talker: Caller) -> None:
        talker.send(
            frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"a", fin=False) * 100 + frame(CONTINUATION)
        )
        assert talker.take(103) == frame(TEXT, b"a" * 101, mask=None)


def send_much(caller: Caller) -> None:
    """50 MB, of which the kernel keeps some; each piece has the time that it takes."""
    for _ in range(400):
        caller.socket.send(PINGS)


class TestCallerWhoTakesNothing:
    def test_is_read_no_more(self, app: FastAPI) -> None:
        with guarded(app, stuck_seconds=60) as guard, Caller(guard.port) as caller:
            talk(caller).socket.settimeout(1)
            with pytest.raises(TimeoutError):
                send_much(caller)

    def test_is_cut_off(self, talker: Caller) -> None:
        talker.socket.settimeout(0.2)

        def is_cut_off() -> bool:
            try:
                talker.socket.send(PINGS)
            except ConnectionError:
                return True
            except TimeoutError:
                pass
            return False

        until(is_cut_off)
