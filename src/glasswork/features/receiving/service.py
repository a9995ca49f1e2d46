from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError as SchemaError
from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.errors import (
    AuthenticationError,
    MalformedRequestError,
    NotFoundError,
    ValidationError,
    reason_of,
)
from glasswork.core.json_pointers import find, tokens_of
from glasswork.core.tokens import Keys
from glasswork.features.accounts.service import SessionService
from glasswork.features.hooks.models import HookKind
from glasswork.features.hooks.schemas import OpenHook, TaskMapping
from glasswork.features.hooks.service import HookLookup
from glasswork.features.links.schemas import Found
from glasswork.features.links.service import LinkService
from glasswork.features.projects.access import access_to
from glasswork.features.tasks.errors import TaskNotFoundError, TransitionNotAllowedError
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.schemas import TaskCreate
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.access import role_in

from .errors import HookWithoutRightsError, MessageRepeatedError
from .policy import prove
from .repository import MessageRepository
from .schemas import PAYLOADS, GithubHeader, Mention, Message, MessageTaken, Result

MOST: Final = 500
"""Mentions of tasks that are taken out of one message."""

_PING = "ping"
_IGNORED = MessageTaken(result=Result.IGNORED)


class ReceivingService:
    """Does what another program's message says, for whoever made the hook and with their rights."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys

    async def receive(self, hook_id: UUID, message: Message) -> MessageTaken:
        """What is refused leaves nothing behind: it may be sent again when it can be taken."""
        async with self._database.reading() as session:
            hook = await HookLookup(session, self._keys).get(hook_id)
        proof = prove(hook, message)
        if hook.kind is HookKind.GITHUB and message.headers[GithubHeader.EVENT] == _PING:
            return _IGNORED
        actor = Actor(hook.created_by, uuid7())
        async with (
            self._database.transaction(actor) as session,
            SessionService(session, self._keys).lending(actor),
        ):
            await _require_rights(session, actor, hook)
            await HookLookup(session, self._keys).hold(hook.id)
            if not await MessageRepository(session).add(hook, actor.session_id, proof):
                raise MessageRepeatedError
            take = _take_github if hook.kind is HookKind.GITHUB else _take_json
            return await take(session, actor, hook, message)


async def _require_rights(session: AsyncSession, actor: Actor, hook: OpenHook) -> None:
    try:
        role = await role_in(session, actor, hook.workspace_id)
        if hook.project_id is not None:
            await access_to(session, actor, hook.project_id)
    except (AuthenticationError, NotFoundError) as refusal:
        raise HookWithoutRightsError from refusal
    if not can_write(role):
        raise HookWithoutRightsError


async def _take_json(session: AsyncSession, actor: Actor, hook: OpenHook, message: Message) -> MessageTaken:
    assert hook.mapping is not None and hook.project_id is not None  # noqa: S101, PT018 (the table's check)
    new = _task_of(hook.mapping, _read(message))
    task = await TaskService(session).create(actor, hook.project_id, new)
    return MessageTaken(result=Result.DONE, created=[task.key])


async def _take_github(session: AsyncSession, actor: Actor, hook: OpenHook, message: Message) -> MessageTaken:
    """Tasks that are not there, or not for the hook, are no fault of who names them."""
    mentions = list(_mentions(message))
    tasks = TaskService(session)
    known = await tasks.find_by_keys(actor, hook.workspace_id, {key for key, _ in mentions})
    ids = {key: task.id for key, task in known.items() if hook.project_id in {None, task.project_id}}
    linked = {(ids[key], mention.url): mention for key, mention in mentions if key in ids}
    if not linked:
        return _IGNORED
    found = [Found(task_id, url, each.kind, each.title) for (task_id, url), each in linked.items()]
    await LinkService(session).add_all(actor, hook.workspace_id, found)
    completed = []
    # In one order for all, as their locks.
    for task_id in sorted({ids[key] for key, mention in mentions if key in ids and key in mention.closed}):
        with suppress(TransitionNotAllowedError, TaskNotFoundError):
            completed.append((await tasks.complete(actor, task_id, Precondition())).key)
    keys = {task.id: task.key for task in known.values()}
    return MessageTaken(
        result=Result.DONE,
        completed=sorted(completed),
        linked=sorted({keys[task_id] for task_id, _ in linked}),
    )


def _mentions(message: Message) -> Iterator[tuple[str, Mention]]:
    """Each key that is named, with what names it."""
    payload = PAYLOADS.get(message.headers[GithubHeader.EVENT])
    document = _read(message)
    if payload is None:
        return iter(())
    try:
        mentions = payload.model_validate(document).mentions()
    except SchemaError as error:
        raise _refusal(error, {}) from error
    return islice(((key, each) for each in mentions for key in sorted(each.keys)), MOST)


def _task_of(mapping: TaskMapping, document: Any) -> TaskCreate:
    fields: dict[str, Any] = {}
    pointers: dict[str, str] = {}
    for name, source in mapping:
        if source is not None:
            pointer = pointers[name] = source if isinstance(source, str) else source.pointer
            with suppress(LookupError):
                value = find(document, pointer)
                if not isinstance(source, str) and isinstance(value, str | int):
                    value = source.values.get(str(value), value)
                if value is not None:
                    fields[name] = value
    try:
        return TaskCreate.model_validate(fields)
    except SchemaError as error:
        raise _refusal(error, pointers) from error


def _read(message: Message) -> Any:
    try:
        return from_json(message.body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedRequestError("The body is not valid JSON.") from error


def _refusal(error: SchemaError, pointers: dict[str, str]) -> ValidationError:
    """Say where in the message something is wrong, and never what stands there."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False):
        place, reason = [str(part) for part in fault["loc"]], reason_of(fault)
        pointer = pointers.get(place[0]) if place else None
        if pointer is not None:
            place, reason = tokens_of(pointer), f"{pointer}: {reason}"
        faults.append({"loc": ["body", *place], "code": fault["type"], "message": reason})
    return ValidationError("The message is not what the hook takes.", errors=faults)
