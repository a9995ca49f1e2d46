"""Bytes that are sent as they are over a connection of their own, and all that comes back."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

from tests.guarded import Answer

ASKING = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
IMPATIENCE = 2
"""Seconds that a caller waits for what he has asked for, before he leaves."""
_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: |\r\n)")


class End(Enum):
    """What the caller does when all is sent."""

    ASK = "ask for something good"
    WAIT = "wait until it is over"
    LEAVE = "say that nothing more comes"
    BREAK = "reset the connection"


@dataclass(frozen=True)
class Exchange:
    pieces: tuple[bytes, ...]
    """As they are written; the parser meets them one by one, or joined, as the kernel has it."""
    end: End

    def filled(self, fill: Callable[[bytes], bytes]) -> Self:
        return replace(self, pieces=tuple(fill(piece) for piece in self.pieces))

    async def hold(self, port: int, token: str, patience: float) -> str | None:
        """Return what is wrong with what came back; it must be over within `patience` seconds."""
        del token  # it stands in the bytes
        try:
            async with asyncio.timeout(patience):
                received = await self._send(port)
        except TimeoutError:
            return f"not over after {patience} s"
        return fault(received, self.end)

    async def _send(self, port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(all_of(reader))
        try:
            with suppress(OSError):
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                await end_with(self.end, ASKING, writer, reading)
            return await reading
        finally:
            reading.cancel()
            writer.close()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    with suppress(OSError):
        while data := await reader.read(65_536):
            received += data
    return bytes(received)


async def end_with(
    end: End, asking: bytes, writer: asyncio.StreamWriter, reading: "asyncio.Task[bytes]"
) -> None:
    if end is End.ASK:
        writer.write(asking)
        await writer.drain()
        await asyncio.wait({reading}, timeout=IMPATIENCE)
    if end is End.BREAK:
        writer.transport.abort()
    elif end is not End.WAIT and not reading.done():
        writer.write_eof()


def fault(received: bytes, end: End = End.WAIT) -> str | None:
    try:
        for answer in answers(received):
            if answer.status >= 500:
                return f"{answer.status} {answer.body[:500]!r}"
            if answer.status >= 400 and answer.body:
                assert answer.error
    except (ValueError, LookupError, AssertionError) as error:
        is_cut_off = end in {End.LEAVE, End.BREAK}
        return None if is_cut_off else f"{error!r} in {received[:1000]!r}"
    return None


def answers(received: bytes) -> Iterator[Answer]:
    """Yield each; raise ValueError where there is something else. Who asked with HEAD is not known here."""
    while received:
        line = _LINE.match(received)
        head, end, received = received.partition(b"\r\n\r\n")
        if not line or not end:
            raise ValueError(head)
        status = int(line[1])
        headers = {
            name.lower(): value
            for name, _, value in (each.partition(": ") for each in head.decode("latin-1").split("\r\n")[1:])
        }
        if status < 200:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, received = _unchunked(received)
        else:
            length = 0 if _LINE.match(received) else int(headers.get("content-length", "0"))
            body, received = received[:length], received[length:]
            if body and len(body) < length:
                raise ValueError(body)
        yield Answer(status, headers, body)
        if status == 101:
            return


def _unchunked(received: bytes) -> tuple[bytes, bytes]:
    """Return a body, and what comes after it."""
    body = b""
    while True:
        size, _, received = received.partition(b"\r\n")
        length = int(size, 16)
        body, received = body + received[:length], received[length + 2 :]
        if not length:
            return body, received
