"""Where a request refers to a thing, what is put there, and how it must be answered."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from fastapi import FastAPI
from httpx2 import Response

from glasswork.core.actor import Scope
from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token

from .foreign import OUTSIDE
from .matrix import DUE, MARK, OPERATORS
from .slots import Call, Slot
from .things import Things, make_things
from .world import filled

NAMES: Final = {"job": "job_id", "subject": "task_id", "task": "whole_task_id", "task_key": "key"}
"""The thing that is put where a call has nothing, by its kind; others have the name of their kind."""

WORDS: Final[Mapping[str, str]] = {
    **{f"{field}:{{}}": "username" for field in ("assignee", "creator", "watcher")},
    'label:"{}"': "label_name",
    "status:{}": "status_key",
    "parent:{}": "whole_task_key",
    "project:{}": "project_key",
}
"""What a filter in words can name."""

_TASK_LISTS = {"list_project_tasks", "list_workspace_tasks"}
_OF_ALL_PROJECTS = {"list_workspace_tasks", "search_tasks"}
_OF_A_PROJECT = {"comment", "label", "label_name", "status_key", "task", "whole_task_key"}
_WORD = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Reference:
    call: Call
    slot: Slot

    @classmethod
    def all(cls, app: FastAPI) -> Iterator[Self]:
        for call in Call.all(app):
            yield from (cls(call, slot) for slot in call.slots() if slot.kind)
            if call.name in _TASK_LISTS:
                for template, kind in WORDS.items():
                    if kind != "project_key" or call.name == "list_workspace_tasks":
                        yield cls(call, Slot("query", ("filter",), {"x-ref": kind}, template))
            if call.name == "search_tasks":
                yield cls(call, Slot("query", ("q",), {"x-ref": "task_key"}))

    def __str__(self) -> str:
        return f"{self.call.name} {self.slot}"

    @property
    def is_for_operators(self) -> bool:
        return DUE[self.call.operation.name] is OPERATORS

    @property
    def is_filter(self) -> bool:
        return self.slot.place == "query" and self.call.operation.method == "GET"

    def own(self, things: Things) -> Any:
        value = self.call.value_of(self.slot)
        return things[self._name] if value is None else filled(value, things)

    def foreign(self, things: Things, maker: str) -> str | None:
        """Return what must not be taken there, if the maker has made such a thing."""
        return things.get(self._name) if self._is_foreign(maker) else None

    def takes(self, answer: Response) -> bool:
        if not answer.is_success:
            return False
        if "best_effort" in self.call.name:
            return bool(answer.json()["items"][0]["status"] < 300)
        return not self.is_filter or self.is_for_operators or answer.json()["items"] != []

    def refuses(self, answer: Response) -> bool:
        if self.call.name == "unwatch_task" and self.slot.name == "user_id":
            return answer.status_code == 200  # as it does when a member does not watch
        if self.slot.place == "path":
            # A hook is there for all, and takes what its own sender has signed.
            is_not_signed = self.call.name == "receive_message" and answer.status_code == 401
            return is_not_signed or answer.status_code == 404
        if answer.status_code == 200 and "best_effort" in self.call.name:
            return answer.json()["items"][0]["status"] in {404, 422}
        if answer.status_code == 200 and self.is_filter:
            return bool(answer.json()["items"] == [])
        return answer.status_code in {404, 422}

    @property
    def _name(self) -> str:
        value = self.call.value_of(self.slot)
        if isinstance(value, str) and value.startswith("{"):
            return value.strip("{}")
        kind = self.slot.kind or ""
        return NAMES.get(kind, kind if kind in {*WORDS.values()} else f"{kind}_id")

    def _is_foreign(self, maker: str) -> bool:
        if self.is_for_operators:
            return maker == "of_another_kind"
        if maker in OUTSIDE:
            return maker != "elsewhere" or self.call.operation.scope is not None
        if maker == "of_the_next_project":
            is_within = self.slot.place != "path" and self.slot.name != "task_id"
            is_limited = self.slot.kind in _OF_A_PROJECT and self.call.name not in _OF_ALL_PROJECTS
            return self.slot.kind == "relation" or (is_within and is_limited)
        if maker == "deleted" and ("restore" in self.call.name or self.call.name == "list_task_history"):
            return False
        return self.slot.kind != "subject"  # the log tells of all that ever was in the workspace


@dataclass(frozen=True)
class Stage:
    """A caller who owns one of everything, and how he and an operator sign in."""

    callers: Callers
    owner: Caller
    own: Things
    bearers: Mapping[str, str]

    @classmethod
    async def make(cls, callers: Callers) -> Self:
        owner, operator = await callers.user(), await callers.user(SystemRole.ADMIN)
        own = await make_things(callers, owner, "own")
        scopes = [scope for scope in Scope if scope not in {Scope.ADMIN_READ, Scope.ADMIN_WRITE}]
        token = await make_api_token(owner, *scopes, workspace_id=own["workspace_id"])
        bearers = {"session": owner.token, "token": token["token"], "operator": operator.token}
        return cls(callers, owner, own, bearers)

    def attempts(self, app: FastAPI, foreign: Things, maker: str) -> "Iterator[Attempt]":
        """Yield the requests with one foreign thing, and those about nothing but foreign things."""
        bearer = "token" if maker == "elsewhere" else "session"
        for reference in Reference.all(app):
            value = reference.foreign(foreign, maker)
            if value is not None:
                request = reference.call.request(self.own, (reference.slot, value))
                by = "operator" if reference.is_for_operators else bearer
                yield Attempt(reference.call, str(reference), request, by, value, reference.refuses)
        for call in Call.all(app):
            is_asked = maker != "elsewhere" or call.operation.scope is not None
            if maker in OUTSIDE and call.is_in_workspace and is_asked:
                request = call.request(self.own | foreign)
                yield Attempt(call, f"all of {call.name}", request, bearer, None, _is_missing)

    async def send(self, request: dict[str, Any], bearer: str) -> Response:
        headers = request["headers"] | {"Authorization": f"Bearer {self.bearers[bearer]}"}
        return await self.callers.client.request(**request | {"headers": headers})


@dataclass(frozen=True)
class Attempt:
    call: Call
    name: str
    request: dict[str, Any]
    bearer: str
    value: str | None
    """The one that is foreign; None: all are."""
    refuses: Callable[[Response], bool]

    def fault(self, answer: Response, own: Things, foreign: Things) -> str | None:
        """Return what is wrong with the answer: it is no refusal, or shows what the request did not say."""
        secrets = {MARK} if self.value is None else {MARK, *foreign.values()} - {self.value, *own.values()}
        is_silent = secrets.isdisjoint(_WORD.findall(f"{answer.headers}{answer.text}"))
        return None if self.refuses(answer) and is_silent else f"{answer.status_code} {answer.text}"


def _is_missing(answer: Response) -> bool:
    return answer.status_code == 404
