"""What is said over a WebSocket: who it is, what they follow, and every change of that."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from time import monotonic
from typing import Any, Protocol, TypeVar
from uuid import UUID

import pydantic

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.errors import AppError, RateLimitError, reason_of
from glasswork.core.streams import POLITE_SECONDS, Ending
from glasswork.core.telemetry.context import current_request
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access_to
from glasswork.features.realtime.errors import StreamsExhaustedError
from glasswork.features.realtime.schemas import Following, Frame, LiveStream, Picks, everything
from glasswork.features.realtime.service import Hub
from glasswork.features.tasks.service import TaskService

from .errors import (
    AlreadySubscribedError,
    BadMessageError,
    SubscriptionNotFoundError,
    TooManySubscriptionsError,
)
from .schemas import FIRST, LATER, Ping, Request, Subscribe, Unsubscribe

FIRST_SECONDS = 5
"""Until it is said who it is."""
MAX_SUBSCRIPTIONS = 50
MAX_BAD = 10
MAX_IN_MINUTE = 120

BAD_MESSAGE, UNAUTHENTICATED, NOT_YOURS, TOO_MANY = 4400, 4401, 4404, 4429
RESTARTING, AGAIN_LATER = 1012, 1013
CODES = {
    Ending.CLIENT: 1000,
    Ending.SLOW: AGAIN_LATER,
    Ending.REMOVED: NOT_YOURS,
    Ending.SIGNED_OUT: UNAUTHENTICATED,
    Ending.EXPIRED: UNAUTHENTICATED,
    Ending.REFUSED: BAD_MESSAGE,
    Ending.STOPPING: RESTARTING,
}
"""With which a connection is closed."""

T = TypeVar("T")


class Socket(Protocol):
    async def receive(self) -> str | None:
        """Return None when the client is gone."""

    async def send(self, text: str) -> None: ...

    async def close(self, code: int) -> None: ...


class Dialogue:
    """One connection, from its first message to its close."""

    def __init__(
        self,
        socket: Socket,
        hub: Hub,
        database: Database,
        authenticate: Callable[[str], Awaitable[Actor]],
    ) -> None:
        self._socket = socket
        self._hub = hub
        self._database = database
        self._authenticate = authenticate
        self._bad = 0
        self._minute, self._in_minute = monotonic(), 0

    async def run(self) -> None:
        try:
            actor = await self._meet()
        except (AppError, TimeoutError) as error:
            if isinstance(error, AppError):
                await self._refuse(error)
            await self._socket.close(UNAUTHENTICATED)
            return
        if actor is None:
            return
        try:
            with self._hub.streaming("websocket", actor) as stream:
                await self._say("authenticated")
                await self._talk(stream)
        except (RateLimitError, StreamsExhaustedError) as error:
            await self._refuse(error)
            await self._socket.close(TOO_MANY if isinstance(error, RateLimitError) else AGAIN_LATER)

    async def _meet(self) -> Actor | None:
        async with asyncio.timeout(FIRST_SECONDS):
            text = await self._socket.receive()
            if text is None:
                return None
            actor = await self._authenticate(_parsed(FIRST, text).token)
            async with self._database.reading() as session:
                await ensure_signed_in(session, actor)
            return actor

    async def _talk(self, stream: LiveStream) -> None:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(stream))
            try:
                async with stream.sending():
                    await self._send_all(stream)
            except TimeoutError:  # it takes nothing
                pass
            finally:
                listening.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(POLITE_SECONDS):
                await self._socket.close(CODES[stream.ending or Ending.CLIENT])

    async def _send_all(self, stream: LiveStream) -> None:
        while stream.is_open:
            item = await stream.take(seconds=60)
            if item is not None:
                await self._send(*item)

    async def _listen(self, stream: LiveStream) -> None:
        while (text := await self._socket.receive()) is not None:
            try:
                if not self._has_time():
                    raise BadMessageError(f"No more than {MAX_IN_MINUTE} messages a minute.")
                await self._do(stream, _parsed(LATER, text))
            except AppError as error:
                await self._refuse(error)
                self._bad += isinstance(error, BadMessageError)
            if self._bad > MAX_BAD:
                stream.end(Ending.REFUSED)
                return
        stream.end(Ending.CLIENT)

    def _has_time(self) -> bool:
        if monotonic() - self._minute > 60:  # noqa: PLR2004 (seconds)
            self._minute, self._in_minute = monotonic(), 0
        self._in_minute += 1
        return self._in_minute <= MAX_IN_MINUTE

    async def _do(self, stream: LiveStream, request: Request) -> None:
        match request:
            case Ping():
                await self._say("pong")
            case Unsubscribe(subscription=key):
                if key not in stream.followings:
                    raise SubscriptionNotFoundError(key)
                self._hub.leave(stream.followings[key])
                await self._say("unsubscribed", subscription=key)
            case Subscribe():
                await self._subscribe(stream, request)

    async def _subscribe(self, stream: LiveStream, wanted: Subscribe) -> None:
        if wanted.key in stream.followings:
            raise AlreadySubscribedError(wanted.key)
        if len(stream.followings) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptionsError(MAX_SUBSCRIPTIONS)
        workspace_id = await self._find(stream.actor, wanted)
        following = await self._hub.follow(stream, workspace_id, wanted.after, _picks(wanted), wanted.key)
        await self._say("subscribed", subscription=wanted.key, workspace_id=workspace_id, seq=following.seq)
        async with aclosing(self._hub.missed(following)) as missed:
            async for frame in missed:
                await self._send(following, frame)

    async def _find(self, actor: Actor, wanted: Subscribe) -> UUID:
        """Return the workspace of what the actor wants to follow, and may see."""
        if wanted.workspace_id is not None:
            return wanted.workspace_id  # whoever follows it is asked there
        workspace_id: UUID
        async with self._database.reading() as session:
            if wanted.task_id is not None:
                workspace_id = (await TaskService(session).get(actor, wanted.task_id)).workspace_id
            else:
                assert wanted.project_id is not None  # noqa: S101 (the schema has looked)
                workspace_id = (await access_to(session, actor, wanted.project_id)).workspace_id
        return workspace_id

    async def _send(self, following: Following, frame: Frame) -> None:
        # The change is JSON already, once for all who get it; of the key we know every character.
        text = f'{{"type":"change","subscription":"{following.key}","change":{frame.change}}}'
        await self._socket.send(text)

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}, default=str))

    async def _refuse(self, error: AppError) -> None:
        request_id = current_request().request_id
        told = {"code": error.code, "message": error.message, "details": error.details}
        await self._say("error", error=told | {"request_id": request_id})


def _parsed(adapter: pydantic.TypeAdapter[T], text: str) -> T:
    try:
        return adapter.validate_json(text)
    except pydantic.ValidationError as error:
        faults = [
            {"loc": list(fault["loc"]), "code": fault["type"], "message": reason_of(fault)}
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise BadMessageError("This is no message that is understood.", errors=faults) from None


def _picks(wanted: Subscribe) -> Picks:
    task_id, project_id = wanted.task_id, wanted.project_id
    if task_id is not None:
        return lambda frame: task_id in frame.task_ids
    if project_id is not None:
        return lambda frame: project_id in frame.project_ids
    return everything
