"""Processes that ask each other: who is found, who is believed, and how long anybody waits."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic, time

import httpx2
import pytest
from fastapi import FastAPI

from glasswork.core.database_checks import DatabaseProbe
from glasswork.core.health import Health
from glasswork.core.http import peers as port
from glasswork.core.peers import ANSWER_SECONDS, SIGNATURE, SIGNATURE_SECONDS, Peers, is_signed, sign
from glasswork.core.settings import Settings
from glasswork.core.telemetry.signals import Signals
from glasswork.core.tokens import Keys

pytestmark = pytest.mark.anyio

KEY = b"a key"
BODY = b'{"question": "routes"}'


class TestSignature:
    def test_of_now_is_believed(self) -> None:
        assert is_signed(KEY, BODY, sign(KEY, BODY))

    def test_of_another_key_body_or_time_is_not(self) -> None:
        now = int(time())
        assert not is_signed(KEY, BODY, sign(b"another key", BODY))
        assert not is_signed(KEY, BODY, sign(KEY, BODY + b" "))
        assert not is_signed(KEY, BODY, sign(KEY, BODY, now - SIGNATURE_SECONDS - 2))
        assert not is_signed(KEY, BODY, sign(KEY, BODY, now + SIGNATURE_SECONDS + 2))
        assert not is_signed(KEY, BODY, sign(KEY, BODY, now + 1).replace(str(now + 1), str(now), 1))

    @pytest.mark.parametrize("signature", ["", ".", "²." + "0" * 64, "9" * 400 + ".", "0" * 64])
    def test_of_another_shape_is_not(self, signature: str) -> None:
        assert not is_signed(KEY, BODY, signature)


@asynccontextmanager
async def telling(settings: Settings) -> AsyncIterator[Peers]:
    """Another process of the installation, but for its own memory."""
    signals = Signals("worker", records=True)
    probe = DatabaseProbe(settings.database_url.get_secret_value())
    health = Health(signals.metrics, probe.checks)
    async with (
        signals.watching() as loop,
        port.telling(settings, signals, health, probe, loop) as peers,
        health.watching(),
    ):
        assert peers
        yield peers


async def addresses(app: FastAPI, peers: Peers) -> list[str]:
    async with app.state.database.reading() as session:
        return list(await peers.find(session))


async def test_each_finds_the_others_as_long_as_they_live(own_app: FastAPI) -> None:
    settings, ours = own_app.state.settings, own_app.state.peers
    assert await addresses(own_app, ours) == []
    async with telling(settings) as theirs:
        (address,) = await addresses(own_app, ours)
        told = await ours.ask([address], "frame")
        assert [answer["instance"]["role"] for answer in told.answers] == ["api", "worker"]
        assert told.silent == []
        assert len(await addresses(own_app, theirs)) == 1
    assert await addresses(own_app, ours) == []


@pytest.mark.slow
async def test_each_second_is_told_once(own_app: FastAPI) -> None:
    seconds = own_app.state.signals.recorder.timeline.seconds
    async with asyncio.timeout(20):
        while len(seconds) < 4:
            await asyncio.sleep(0.05)
    times = [point.at for point in seconds]
    assert len(set(times)) == len(times)
    assert times == sorted(times)


async def test_who_does_not_answer_is_named_and_not_waited_for(own_app: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = f"http://127.0.0.1:{mute.getsockname()[1]}"
        began = monotonic()
        told = await own_app.state.peers.ask([silent, "http://127.0.0.1:1"], "routes")
        assert monotonic() - began < ANSWER_SECONDS + 3
    assert told.silent == [silent, "http://127.0.0.1:1"]
    assert len(told.answers) == 1


async def test_strangers_are_told_nothing(own_app: FastAPI) -> None:
    settings, ours = own_app.state.settings, own_app.state.peers
    body = json.dumps({"question": "routes", "arguments": {}}).encode()
    async with telling(settings), httpx2.AsyncClient() as client:
        (address,) = await addresses(own_app, ours)
        for headers in ({}, {SIGNATURE: sign(KEY, body)}):
            answer = await client.post(address, content=body, headers=headers)
            assert (answer.status_code, answer.content) == (404, b"")


async def test_a_question_has_an_end(own_app: FastAPI) -> None:
    settings, ours = own_app.state.settings, own_app.state.peers
    question = json.dumps({"question": "routes", "arguments": {}}).encode()
    async with telling(settings), httpx2.AsyncClient() as client:
        (address,) = await addresses(own_app, ours)
        for length, status in ((port.MOST_BYTES + 1, 404), (port.MOST_BYTES, 200)):
            body = question.ljust(length)
            headers = {SIGNATURE: sign(Keys.of(settings).peers, body)}
            assert (await client.post(address, content=body, headers=headers)).status_code == status
