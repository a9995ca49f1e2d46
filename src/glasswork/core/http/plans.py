"""How an operation is carried out: a plan that is made once, of what FastAPI has found out about the handler.

FastAPI goes through the tree of dependencies anew for each request, which costs a read more than all else
that is done for it (docs/performance.md). A plan does the same for a valid request, in the same order, and
leaves all others to FastAPI before anything has been done: their refusals are FastAPI's own.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from fastapi import HTTPException, Request, Response, params
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args
from fastapi.routing import RouteContext, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from glasswork.core.http.json_bytes import json_bytes
from glasswork.core.http.replays import replaying

_JSON = "application/json"


KEPT_QUERIES: Final = 1000


class _Unplannable(Exception):  # noqa: N818 (no failure: FastAPI carries it out)
    """The operation does what no plan can."""


class _NotValid(Exception):  # noqa: N818 (likewise)
    """FastAPI shall say what is wrong with the request."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A call, and where its arguments come from."""

    call: Callable[..., Any]
    is_generator: bool
    results: Sequence[tuple[str, int]]
    """Names of arguments that are results of earlier steps."""
    values: int | None
    """The place of its parameters among those of all steps."""
    requests: Sequence[str]
    responses: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Parameters:
    """The parameters of a step that come with the request."""

    path: Sequence[ModelField]
    query: Sequence[ModelField]
    header: Sequence[ModelField]
    body: Sequence[ModelField]
    header_names: AbstractSet[bytes]
    absent: Mapping[str, Any]
    """What the headers mean that are not there."""

    @classmethod
    def of(cls, dependant: Dependant) -> "_Parameters":
        header = dependant.header_params
        return cls(
            dependant.path_params,
            dependant.query_params,
            header,
            dependant.body_params,
            {field.alias.lower().encode() for field in header},
            request_params_to_args(header, {})[0],
        )

    def read(self, request: Request, sent: AbstractSet[bytes]) -> dict[str, Any]:
        """Raise _NotValid where one is not valid; `sent` are the names of the headers."""
        found: dict[str, Any] = {}
        for each in self.path:
            found[each.name] = _valid(*each.validate(request.path_params[each.alias], {}, loc=()))
        if self.query:
            found |= _query(self, request.scope["query_string"])
        if self.header:
            present = not self.header_names.isdisjoint(sent) or len(self.absent) < len(self.header)
            found |= _valid(*request_params_to_args(self.header, request.headers)) if present else self.absent
        return found


def _valid(value: Any, errors: Any) -> Any:
    if errors:
        raise _NotValid
    return value


@lru_cache(maxsize=KEPT_QUERIES)
def _query(parameters: _Parameters, text: bytes) -> Mapping[str, Any]:
    """Most lists are asked for again and again in the same way; nobody changes what they are given."""
    found: Mapping[str, Any] = _valid(*request_params_to_args(parameters.query, QueryParams(text)))
    return found


@dataclass(slots=True)
class Plan:
    status: int
    answer: ModelField | None
    """The schema of what the handler returns."""
    takes_body: bool
    embeds_body: bool
    """Each of several parts of it has a name."""
    steps: list[_Step] = field(default_factory=list)
    parameters: list[_Parameters] = field(default_factory=list)

    @classmethod
    def of(cls, route: RouteContext) -> "Plan | None":
        """None where the operation does what no plan can: only FastAPI itself carries it out."""
        embeds = route._embed_body_fields  # noqa: SLF001 (as its handler is told)
        plan = cls(route.status_code or 200, route.response_field, route.body_field is not None, embeds)
        try:
            _refuse_strange_answers(route)
            plan._add(route.dependant, {})
        except _Unplannable:
            return None
        return plan

    async def carry_out(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Return None when it is done, or what FastAPI shall receive: the request is not valid."""
        request = Request(scope, receive, send)
        body = await self._body(request) if self.takes_body else None
        rest = receive if body is None else replaying([_whole(body)], receive)
        try:
            values = await self._read(request, body)
        except _NotValid:
            return rest
        response = await self._respond(request, values)
        await response(scope, receive, send)
        return None

    async def _body(self, request: Request) -> bytes | None:
        if request.headers.get("content-type") != _JSON:
            return None
        try:
            return await request.body()
        except ClientDisconnect as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST) from error

    async def _read(self, request: Request, body: bytes | None) -> Sequence[dict[str, Any]]:
        """Return the parameters of all steps."""
        sent = {name for name, _ in request.scope["headers"]}
        found = []
        for parameters in self.parameters:
            values = parameters.read(request, sent)
            if parameters.body:
                values |= await self._of_body(parameters.body, body)
            found.append(values)
        return found

    async def _of_body(self, fields: Sequence[ModelField], body: bytes | None) -> dict[str, Any]:
        try:
            content = json.loads(body or b"")
        except (ValueError, RecursionError) as error:
            raise _NotValid from error
        parts = await request_body_to_args(list(fields), content, self.embeds_body)
        values: dict[str, Any] = _valid(*parts)
        return values

    async def _respond(self, request: Request, values: Sequence[dict[str, Any]]) -> Response:
        told = Response()
        del told.headers["content-length"]
        told.status_code = 0  # unless the handler says so
        async with AsyncExitStack() as stack:
            results: list[Any] = []
            for step in self.steps:
                arguments = {} if step.values is None else values[step.values]
                for name, place in step.results:
                    arguments[name] = results[place]
                for name in step.requests:
                    arguments[name] = request
                for name in step.responses:
                    arguments[name] = told
                if step.is_generator:
                    result = await stack.enter_async_context(step.call(**arguments))
                else:
                    result = await step.call(**arguments)
                results.append(result)
            return await self._rendered(results[-1], told)

    async def _rendered(self, result: Any, told: Response) -> Response:
        if isinstance(result, Response):
            return result
        status = told.status_code or self.status
        content = json_bytes(result)
        if content is None:
            content = await serialize_response(field=self.answer, response_content=result, dump_json=True)
        if not is_body_allowed_for_status_code(status):
            content = b""
        response = Response(content, status, media_type=_JSON)
        response.raw_headers.extend(told.raw_headers)
        return response

    def _add(self, dependant: Dependant, places: dict[Any, int]) -> int:
        """Add what it depends on, and then itself; return its place."""
        if dependant.call in places:
            return places[dependant.call]
        results = [(inner.name, self._add(inner, places)) for inner in dependant.dependencies]
        call, is_generator = _callable(dependant)
        fields = _Parameters.of(dependant)
        has_parameters = any((fields.path, fields.query, fields.header, fields.body))
        if has_parameters:
            self.parameters.append(fields)
        self.steps.append(
            _Step(
                call,
                is_generator,
                [(name, place) for name, place in results if name is not None],
                len(self.parameters) - 1 if has_parameters else None,
                [n for n in (dependant.request_param_name, dependant.http_connection_param_name) if n],
                [dependant.response_param_name] if dependant.response_param_name else [],
            )
        )
        places[dependant.call] = len(self.steps) - 1
        return places[dependant.call]


def _whole(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": False}


def _refuse_strange_answers(route: RouteContext) -> None:
    chosen = (
        route.response_model_include,
        route.response_model_exclude,
        route.response_model_exclude_unset,
        route.response_model_exclude_defaults,
        route.response_model_exclude_none,
        not route.response_model_by_alias,
        route.stream_item_field,
    )
    has_form = route.body_field is not None and isinstance(route.body_field.field_info, params.Form)
    has_schema = route.response_field is not None or not is_body_allowed_for_status_code(route.status_code)
    if any(chosen) or has_form or not has_schema:
        raise _Unplannable


def _callable(dependant: Dependant) -> tuple[Callable[..., Any], bool]:
    call = dependant.call
    is_strange = (
        dependant.cookie_params
        or dependant.websocket_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
        or not dependant.use_cache
        or dependant.concurrency is not None
    )
    if call is None or is_strange:
        raise _Unplannable
    if inspect.isasyncgenfunction(call):
        if dependant.scope != "function":
            raise _Unplannable
        return asynccontextmanager(call), True
    if not inspect.iscoroutinefunction(call) and not inspect.iscoroutinefunction(type(call).__call__):
        raise _Unplannable
    return call, False
