"""Where faults are injected, and what does so from outside of the programs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import asyncpg

from tests.processes import free_port

from .programs import Programs
from .stack import Stack
from .traffic import Caller, again_and_again


@dataclass(frozen=True)
class World:
    stack: Stack
    programs: Programs
    caller: Caller
    collector: "Collector"


class Collector:
    """Takes spans, until it is closed, and again when it is opened."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: ThreadingHTTPServer | None = None

    def open(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def locking(world: World, mode: str, seconds: float) -> Iterator[None]:
    """Hold a lock on the tasks for so long, let it go for a moment, and so on."""

    async def hold() -> None:
        connection = await asyncpg.connect(world.programs.database_url)
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE tasks IN {mode} MODE")
            await asyncio.sleep(seconds)
        await connection.close()

    with again_and_again(lambda: asyncio.run(hold()), pause=0.01):
        yield


@contextmanager
def locked(world: World, table: str, mode: str = "ACCESS EXCLUSIVE") -> Iterator[None]:
    """All the time."""
    held, done = Event(), Event()

    async def hold() -> None:
        connection = await asyncpg.connect(world.programs.database_url)
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN {mode} MODE")
            held.set()
            await asyncio.to_thread(done.wait)
        await connection.close()

    thread = Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    held.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()
