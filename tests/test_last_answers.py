"""A server that stops: every request that came is answered, and every answer says that it is the last one."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from fastapi import FastAPI

from glasswork.core.settings import Settings
from tests.core.http.answers import make_offline_app
from tests.guarded import GET, HEAD, PATIENCE, Caller, Guarded, guarded
from tests.processes import until


class Gate:
    """Requests that wait inside until they may go on."""

    def __init__(self) -> None:
        self.is_in, self.may_go = Event(), Event()

    async def wait(self) -> None:
        self.is_in.set()
        while not self.may_go.is_set():
            await asyncio.sleep(0.01)

    async def block(self) -> None:
        """The whole loop, so that nobody is let in meanwhile."""
        self.is_in.set()
        await asyncio.sleep(0)
        self.may_go.wait(PATIENCE)
        time.sleep(0.2)  # noqa: ASYNC251 (the loop looks every 0.1 s whether it shall stop)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def guard(settings: Settings, gate: Gate) -> Iterator[Guarded]:
    app: FastAPI = make_offline_app(settings)
    app.add_api_route("/wait", gate.wait)
    app.add_api_route("/block", gate.block)
    with guarded(app) as guard:
        yield guard


WAIT = GET.replace(b"/health", b"/wait")


def drain(guard: Guarded) -> None:
    guard.loop.call_soon_threadsafe(guard.connections.drain)


def test_each_answer_ends_its_connection(guard: Guarded, gate: Gate) -> None:
    with Caller(guard.port) as kept, Caller(guard.port) as waiting, Caller(guard.port) as begun:
        assert kept.send(GET).read().headers.get("connection") is None
        waiting.send(WAIT)
        begun.send(HEAD)
        assert gate.is_in.wait(PATIENCE)
        drain(guard)
        gate.may_go.set()
        with Caller(guard.port) as late:
            answers = [
                kept.send(GET).read(),
                waiting.read(),
                begun.send(b"\r\n").read(),
                late.send(GET).read(),
            ]
            assert [answer.status for answer in answers] == [200] * 4
            assert [answer.headers["connection"] for answer in answers] == ["close"] * 4
            assert all(caller.is_over() for caller in (kept, waiting, begun, late))


def test_those_who_are_not_yet_let_in_are_answered(guard: Guarded, gate: Gate) -> None:
    with ExitStack() as stack:
        busy, kept = (stack.enter_context(Caller(guard.port)) for _ in range(2))
        kept.send(GET).read()
        busy.send(GET.replace(b"/health", b"/block"))
        assert gate.is_in.wait(PATIENCE)
        late = [stack.enter_context(Caller(guard.port)).send(GET) for _ in range(50)]
        kept.send(GET)
        guard.tell_to_stop()
        gate.may_go.set()
        assert [caller.read().status for caller in (busy, kept, *late)] == [200] * 52
        assert all(caller.is_over() for caller in (busy, kept, *late))
        guard.wait()
        with pytest.raises(ConnectionRefusedError):
            Caller(guard.port)


def test_a_request_on_its_way_is_answered(guard: Guarded, gate: Gate) -> None:
    with Caller(guard.port) as waiting, Caller(guard.port) as silent, Caller(guard.port) as begun:
        waiting.send(WAIT)
        begun.send(HEAD)
        assert gate.is_in.wait(PATIENCE)
        guard.tell_to_stop()
        assert begun.send(b"\r\n").read().status == 200
        assert silent.is_over()
        gate.may_go.set()
        assert waiting.read().status == 200
        guard.wait()


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(10))
def test_who_comes_in_the_last_moment_is_answered_or_refused(guard: Guarded, round_: int) -> None:
    with ThreadPoolExecutor(8) as callers:
        told: list[list[int]] = [[] for _ in range(8)]
        asking = [callers.submit(ask_until_refused, guard, each) for each in told]
        assert until(lambda: all(len(each) > round_ for each in told))
        guard.tell_to_stop()
        for each in asking:
            each.result(PATIENCE)
    assert {status for each in told for status in each} == {200}


def ask_until_refused(guard: Guarded, told: list[int]) -> None:
    while True:
        try:
            caller = Caller(guard.port)
        except ConnectionRefusedError:
            return
        with caller:
            told.append(caller.send(GET).read().status)
