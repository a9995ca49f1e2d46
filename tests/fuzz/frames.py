"""What no client sends over a WebSocket."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from struct import pack
from typing import Final, Self

from .exchange import End, all_of, end_with
from .handshakes import HANDSHAKE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
INTERNAL_ERROR = 1011


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    mask: bytes | None = b"\x01\x02\x03\x04",
    reserved: int = 0,
    length: bytes | None = None,
) -> bytes:
    """`length`: as it is declared, without the bit that tells of the mask."""
    size = len(payload)
    declared = length or (
        bytes([size]) if size < 126 else pack(">BH", 126, size) if size < 2**16 else pack(">BQ", 127, size)
    )
    first = fin << 7 | reserved << 4 | opcode
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([first, declared[0] | (0x80 if mask else 0)]) + declared[1:] + (mask or b"") + masked


GOODBYE: Final = frame(CLOSE, pack(">H", 1000))

FRAMES: Final = {
    "not masked": frame(TEXT, b"{}", mask=None),
    "masked with zeros": frame(TEXT, b"{}", mask=bytes(4)),
    **{f"reserved bits {bits}": frame(TEXT, b"{}", reserved=bits) for bits in (1, 2, 3, 4, 7)},
    **{f"opcode {code}": frame(code, b"a") for code in (3, 7, 11, 15)},
    "not compressed, but says so": frame(TEXT, b"\xff\xff\xff", reserved=4),
    "a ping of 126 bytes": frame(PING, bytes(126)),
    "a pong of 126 bytes": frame(PONG, bytes(126)),
    "a ping in fragments": frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b"),
    "a close in fragments": frame(CLOSE, fin=False) + frame(CONTINUATION),
    "a pong that nobody asked for": frame(PONG, b"a"),
    "pings in a message": frame(TEXT, b"{", fin=False) + frame(PING, b"a") * 100 + frame(CONTINUATION, b"}"),
    "a message in a message": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
    "a continuation of nothing": frame(CONTINUATION, b"a"),
    "half a message": frame(TEXT, b"{", fin=False),
    "empty fragments": frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 20_000,
    "fragments without end": frame(TEXT, fin=False) + frame(CONTINUATION, bytes(1000), fin=False) * 100,
    "65 KB": frame(TEXT, b"a" * 65_537),
    "64 KB": frame(TEXT, b"a" * 65_536),
    "bytes": frame(BINARY, bytes(range(256))),
    "no bytes": frame(BINARY),
    "no text": frame(TEXT),
    "2 bytes in 8": frame(TEXT, b"{}", length=pack(">BQ", 127, 2)),
    "2 bytes in 2": frame(TEXT, b"{}", length=pack(">BH", 126, 2)),
    **{
        f"{size} bytes that do not come": frame(TEXT, b"{}", length=pack(">BQ", 127, size))
        for size in (65_537, 2**31, 2**63 - 1, 2**63, 2**64 - 1)
    },
    **{
        f"{text!r}": frame(TEXT, text)
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"{}\xe2\x82")
    },
    "half a letter in a fragment": frame(TEXT, b'"\xe2', fin=False) + frame(CONTINUATION, b'\x82\xac"'),
    **{
        f"close {code}": frame(CLOSE, pack(">H", code))
        for code in (0, 999, 1000, 1004, 1005, 1006, 1010, 1015, 1016, 2999, 3000, 4999, 5000, 65_535)
    },
    "close with a byte": frame(CLOSE, b"\x03"),
    "close with no text": frame(CLOSE, pack(">H", 1000) + b"\xff"),
    "close with 126 bytes": frame(CLOSE, pack(">H", 1000) + bytes(124)),
    "close twice": frame(CLOSE) * 2,
    "a message after the close": frame(CLOSE) + frame(TEXT, b"{}"),
    "half a head": b"\x81",
    "half a length": b"\x81\xfe\x00",
    "HTTP": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "noise": bytes(range(256)) * 8,
}


def authenticating(token: str) -> bytes:
    return frame(TEXT, json.dumps({"type": "authenticate", "token": token}).encode())


@dataclass(frozen=True)
class Talk:
    frames: tuple[bytes, ...]
    end: End
    is_signed_in: bool

    def filled(self, fill: Callable[[bytes], bytes]) -> Self:
        """Frames are masked: what stands for something in them cannot be seen."""
        del fill
        return self

    async def hold(self, port: int, token: str, patience: float) -> str | None:
        """Return what is wrong with what came back; it must be over within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                return await self._hold(port, token)
        except TimeoutError:
            return f"not over after {patience} s"

    async def _hold(self, port: int, token: str) -> str | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(HANDSHAKE)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101 "):
                return f"no handshake: {head!r}"
            if self.is_signed_in:
                writer.write(authenticating(token))
                await reader.readexactly(len(frame(TEXT, b'{"type": "authenticated"}', mask=None)))
            reading = asyncio.create_task(all_of(reader))
            with suppress(OSError):
                for piece in self.frames:
                    writer.write(piece)
                    await writer.drain()
                await end_with(self.end, GOODBYE, writer, reading)
            return closed_by_mistake(await reading)
        except asyncio.IncompleteReadError as error:
            return f"{error.partial!r}"
        finally:
            writer.close()


def closed_by_mistake(received: bytes) -> str | None:
    while received:
        opcode, size = received[0] & 15, received[1]
        begin = 2 if size < 126 else 4 if size == 126 else 10
        size = size if size < 126 else int.from_bytes(received[2:begin])
        payload, received = received[begin : begin + size], received[begin + size :]
        if opcode == CLOSE and payload[:2] == pack(">H", INTERNAL_ERROR):
            return f"closed with {payload!r}"
    return None
