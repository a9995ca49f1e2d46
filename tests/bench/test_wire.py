"""Round trips are counted on the wire, however the bytes come."""

import asyncpg
import pytest
from wire import Messages, wire

from glasswork.core.database_urls import place_of
from tests.databases import SERVING, Server

STARTUP = (8 + 4).to_bytes(4) + (196_608).to_bytes(4) + b"user"
SSL_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


ASKED = message(b"P", b"S" * 300) + message(b"B", b"Q") + message(b"E") + message(b"S")


@pytest.mark.parametrize("piece", [1, 3, 7, 10_000])
@pytest.mark.parametrize("before", [STARTUP, SSL_REQUEST + STARTUP])
def test_what_a_client_waits_for_is_counted(piece: int, before: bytes) -> None:
    messages = Messages()
    stream = before + message(b"p", b"SQ") + message(b"Q", b"BEGIN\0") + ASKED + ASKED
    for start in range(0, len(stream), piece):
        messages.feed(stream[start : start + piece])
    assert messages.trips == 3


@pytest.mark.anyio
async def test_a_driver_is_counted(server: Server) -> None:
    async with wire(server.url(SERVING, server.template)) as way:
        connection = await asyncpg.connect(**place_of(way.url))
        await connection.fetch("SELECT $1::int", 1)
        counts = []
        for statements in (["SELECT $1::int"], ["SELECT $1::int"] * 3):
            before = way.trips
            for statement in statements:
                await connection.fetch(statement, 1)
            counts.append(way.trips - before)
        before = way.trips
        async with connection.transaction():
            await connection.fetch("SELECT $1::int", 1)
        counts.append(way.trips - before)
        await connection.close()
    assert counts == [1, 3, 3]
