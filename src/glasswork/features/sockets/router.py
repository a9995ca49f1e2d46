from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket
from starlette.datastructures import URL
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect, WebSocketState

from glasswork.core.actor import Actor, Scope
from glasswork.core.settings import Settings
from glasswork.features.accounts.auth import authenticate

from .errors import OriginRefusedError
from .service import Dialogue

router = APIRouter()


class _Socket:
    """Starlette's, as the dialogue needs it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | None:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        return message.get("text") or ""

    async def send(self, text: str) -> None:
        await self._tell({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        await self._tell({"type": "websocket.close", "code": code})

    async def _tell(self, message: Message) -> None:
        """Say nothing to a client that is gone: `receive` tells of it."""
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self._socket.send(message)


async def meet(socket: WebSocket) -> Dialogue:
    if not _is_allowed(socket, socket.app.state.settings):
        raise OriginRefusedError

    async def read(token: str) -> Actor:
        return await authenticate(socket, token, Scope.CHANGES_READ)

    await socket.accept()
    return Dialogue(_Socket(socket), socket.app.state.hub, socket.app.state.database, read)


def _is_allowed(socket: WebSocket, settings: Settings) -> bool:
    """Programs name no origin; a page's is our own, or one that the operator allows."""
    origin = socket.headers.get("origin")
    allowed = settings.cors_origins
    return origin is None or "*" in allowed or origin in allowed or _is_at(origin, socket.headers["host"])


def _is_at(origin: str, host: str) -> bool:
    try:
        return URL(origin).netloc == host
    except ValueError:  # what is no URL is nobody's
        return False


@router.websocket("/ws")
async def talk(dialogue: Annotated[Dialogue, Depends(meet)]) -> None:
    """Follow workspaces, projects and tasks: docs/live.md tells what is said."""
    await dialogue.run()
