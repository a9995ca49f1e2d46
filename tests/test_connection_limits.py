"""A server that is full: whoever comes is told so at once, and those who look after it are still let in."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from fastapi import FastAPI, WebSocket
from websockets.sync.client import connect

from glasswork.core.http import connections
from glasswork.core.settings import Settings
from tests.core.http.answers import make_offline_app
from tests.guarded import GET, HEAD, Caller, Guarded, guarded
from tests.processes import until

MOST = 3


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    async def repeat(talker: WebSocket) -> None:
        await talker.accept()
        async for text in talker.iter_text():
            await talker.send_text(text)

    app = make_offline_app(settings)
    app.add_api_websocket_route("/repeat", repeat)
    return app


@pytest.fixture
def full(app: FastAPI) -> Iterator[tuple[Guarded, list[Caller]]]:
    """A server of which every connection is taken, and those who have them."""
    with guarded(app, MOST, inside=True, head_seconds=60) as guard, ExitStack() as stack:
        callers = [stack.enter_context(Caller(guard.port)) for _ in range(MOST)]
        assert [caller.send(GET).read().status for caller in callers] == [200] * MOST
        for caller in callers:
            caller.send(HEAD)
        yield guard, callers


def is_refused(guard: Guarded) -> bool:
    with Caller(guard.port) as late:
        answer = late.send(GET).read()
        assert answer.status in {200, 503}
        return answer.status == 503


def test_who_comes_late_is_told_when_to_come_again(full: tuple[Guarded, list[Caller]]) -> None:
    guard, callers = full
    before = guard.refused("full")
    with Caller(guard.port) as late:
        answer = late.send(GET).read()
        assert (answer.status, answer.error["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["connection"] == "close"
        assert late.is_over()
    assert guard.refused("full") == before + 1
    assert until(lambda: guard.counted("glasswork_connections") == MOST)
    assert [caller.send(b"\r\n").read().status for caller in callers] == [200] * MOST


def test_who_comes_late_and_says_nothing_is_not_kept(full: tuple[Guarded, list[Caller]]) -> None:
    guard, _ = full
    with Caller(guard.port) as late:
        assert late.is_over()


def test_a_crowd_is_not_kept_until_all_of_it_is_told(full: tuple[Guarded, list[Caller]]) -> None:
    guard, callers = full
    with ExitStack() as stack:
        crowd = [stack.enter_context(Caller(guard.port)) for _ in range(2 * connections.MOST_TURNED_AWAY)]
        told = [caller.send(GET).ends_with() for caller in crowd]
    assert set(told) <= {503, None}
    assert told.count(503) > 0
    assert [caller.send(b"\r\n").read().status for caller in callers] == [200] * MOST


def test_there_is_room_again_when_one_goes(full: tuple[Guarded, list[Caller]]) -> None:
    guard, callers = full
    assert is_refused(guard)
    callers[0].__exit__()
    until(lambda: not is_refused(guard))


def test_a_websocket_counts(app: FastAPI) -> None:
    with guarded(app, 1) as guard:
        with connect(f"ws://127.0.0.1:{guard.port}/repeat", proxy=None) as talker:
            assert is_refused(guard)
            talker.send("still here")
            assert talker.recv(20) == "still here"
        until(lambda: not is_refused(guard))


def test_the_inner_port_has_a_limit_of_its_own(
    full: tuple[Guarded, list[Caller]], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, _ = full
    monkeypatch.setattr(connections, "MOST_INSIDE", 2)
    with Caller(guard.inner_port) as first, Caller(guard.inner_port) as second:
        assert [each.send(GET).read().status for each in (first, second)] == [200, 200]
        with Caller(guard.inner_port) as third:
            assert third.send(GET).read().status == 503
        assert is_refused(guard)
    assert is_refused(guard)
