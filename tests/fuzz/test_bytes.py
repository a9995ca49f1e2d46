"""Bytes of every wrong kind, for a server with short bounds: no answer is a failure, and all is over soon."""

import logging
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings

from glasswork.app import create_app
from tests.conftest import make_settings, patient
from tests.guarded import GET, Caller, guarded
from tests.streams import talking

from .bodies import with_bodies
from .exchange import End, Exchange
from .frames import FRAMES, Talk
from .generated import briefly, exchanges, talks
from .handshakes import handshakes
from .heads import with_lines
from .messages import wrong
from .smuggling import open_request, smuggled
from .target import Target, furnished

PATIENCE = 30
"""Seconds, on a machine that does other things too: no bound is above one."""


async def fail() -> None:
    raise RuntimeError("a bug")


@pytest.fixture(scope="module")
def target(database_url: str) -> Iterator[Target]:
    with patient():
        app = create_app(make_settings(database_url, live_streams_per_user=1000, database_pool_size=5))
        app.add_api_route("/bug", fail)
        with guarded(app, begins=True) as guard, furnished(guard.port, database_url) as target:
            yield target


@pytest.fixture(autouse=True)
def serves(target: Target, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After all of it nothing is in the log, and who means well is served."""
    yield
    with Caller(target.port) as caller:
        assert caller.send(GET).read().status == 200
    assert [line for line in caplog.records if line.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("end", [End.ASK, End.LEAVE])
@pytest.mark.parametrize("written", [with_lines, with_bodies, handshakes])
def test_no_request_makes_it_fail(target: Target, written: Callable[[], Iterable[bytes]], end: End) -> None:
    assert target.hold([Exchange((each,), end) for each in written()], PATIENCE) == []


@pytest.mark.slow
@pytest.mark.parametrize("written", [with_lines, with_bodies])
def test_no_request_is_waited_for_without_end(target: Target, written: Callable[[], Iterable[bytes]]) -> None:
    assert target.hold([Exchange((each,), End.WAIT) for each in written()], PATIENCE) == []


@pytest.mark.parametrize("end", [End.ASK, End.LEAVE])
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_no_frame_makes_it_fail(target: Target, end: End, is_signed_in: bool) -> None:
    assert target.hold([Talk((each,), end, is_signed_in) for each in FRAMES.values()], PATIENCE) == []


def test_whatever_is_said_is_answered(target: Target) -> None:
    said = [*wrong()]

    async def ask_all() -> None:
        for few in (said[at : at + 8] for at in range(0, len(said), 8)):
            async with talking(f"http://127.0.0.1:{target.port}", target.token()) as conversation:
                for each in few:
                    await conversation.socket.send(each)
                    told = await conversation.next()
                    assert told["type"] == "error", (each, told)
                    assert told["error"].keys() == {"code", "message", "details", "request_id"}

    target.runner.run(ask_all())


class TestSmuggling:
    def test_no_request_is_carried_out_that_is_not_asked_for(self, target: Target) -> None:
        assert target.hold([Exchange((each,), End.ASK) for each in smuggled()], PATIENCE) == []
        assert target.smuggled() == []

    def test_one_behind_another_is(self, target: Target) -> None:
        assert target.hold([Exchange((open_request(),), End.ASK)], PATIENCE) == []
        assert len(target.smuggled()) == 1


@settings(briefly, derandomize=True)
@given(sent=exchanges)
def test_no_bytes_that_are_made_up_make_it_fail(target: Target, sent: list[Exchange]) -> None:
    assert target.hold(sent, PATIENCE) == []


@settings(briefly, derandomize=True)
@given(held=talks)
def test_no_frames_that_are_made_up_make_it_fail(target: Target, held: list[Talk]) -> None:
    assert target.hold(held, PATIENCE) == []


def test_a_bug_is_found(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    requests = (b"GET /bug HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 500 no request\r\n\r\n")
    found = target.hold([Exchange((each,), End.ASK) for each in requests], PATIENCE)
    assert [each[:4] for each in found] == ["500 "]
    assert any(line.levelno >= logging.ERROR for line in caplog.records)
    caplog.clear()
