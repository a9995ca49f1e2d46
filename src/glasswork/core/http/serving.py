"""uvicorn's server, whose connections are bounded, and which loses none of them when it stops."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import uvicorn

from glasswork.core.http.connections import Connections
from glasswork.core.http.protocol import GuardedProtocol
from glasswork.core.http.sockets import SocketProtocol
from glasswork.core.listeners import join, leave


class Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, connections: Connections, on_start: Callable[[], None]
    ) -> None:
        config.http = partial(GuardedProtocol, guard=connections)  # type: ignore[assignment]
        config.ws = partial(SocketProtocol, guard=connections)  # type: ignore[assignment]
        super().__init__(config)
        self._connections = connections
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for listener in sockets or ():
                join(listener)
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and serve those who have connected before that; the kernel would reset them."""
        self._connections.stop()
        left = [listener for listener in sockets or () if leave(listener)]
        if left:
            await asyncio.sleep(self._connections.bounds.last_seconds)  # for handshakes that are under way
        taken = [each for listener in left for each in _take_waiting(listener)]
        adopting = asyncio.create_task(self._adopt(taken))
        await super().shutdown(sockets)
        await adopting

    async def _adopt(self, taken: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for each in taken:
            await loop.connect_accepted_socket(self._create_protocol, each)

    def _create_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _take_waiting(listener: socket.socket) -> Iterator[socket.socket]:
    with suppress(BlockingIOError):
        while True:
            taken, _ = listener.accept()
            taken.setblocking(False)
            yield taken
