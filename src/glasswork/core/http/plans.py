"""How an operation is carried out: a plan that is made once, of what FastAPI has found out about the handler.

FastAPI goes through the tree of dependencies anew for each request, which costs a read more than all else
that is done for it (docs/performance.md). A plan does the same for a valid request, in the same order, and
leaves all others to FastAPI before anything has been done: their refusals are FastAPI's own.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args
from fastapi.routing import RouteContext, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from starlette.types import Message, Receive, Scope, Send

from glasswork.core.http.json_bytes import json_bytes

_JSON = "application/json"


class _Unplannable(Exception):  # noqa: N818 (no failure: FastAPI carries it out)
    pass


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


@dataclass(slots=True)
class _Parameters:
    """The parameters of a step that come with the request."""

    path: Sequence[Any]
    query: Sequence[Any]
    header: Sequence[Any]
    body: Sequence[Any]

    def read(self, request: Request) -> dict[str, Any] | None:
        """None where one is not valid."""
        found: dict[str, Any] = {}
        for fields, source in (
            (self.path, "path_params"),
            (self.query, "query_params"),
            (self.header, "headers"),
        ):
            if fields:
                values, errors = request_params_to_args(fields, getattr(request, source))
                if errors:
                    return None
                found |= values
        return found


@dataclass(slots=True)
class Plan:
    route: RouteContext
    steps: list[_Step] = field(default_factory=list)
    parameters: list[_Parameters] = field(default_factory=list)

    @classmethod
    def of(cls, route: RouteContext) -> "Plan | None":
        """None where the operation does what no plan can: only FastAPI itself carries it out."""
        plan = cls(route)
        try:
            plan._add(route.dependant, {})
        except _Unplannable:
            return None
        return plan

    async def carry_out(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Return None when it is done, or what FastAPI shall receive: the request is not valid."""
        request = Request(scope, receive, send)
        body = await self._body(request) if self._takes_body else None
        rest = _replaying(body, receive) if body is not None else receive
        values = await self._read(request, body)
        if values is None:
            return rest
        response = await self._respond(request, values)
        await response(scope, receive, send)
        return None

    @property
    def _takes_body(self) -> bool:
        return self.route.body_field is not None

    async def _body(self, request: Request) -> bytes | None:
        return await request.body() if request.headers.get("content-type") == _JSON else None

    async def _read(self, request: Request, body: bytes | None) -> Sequence[Mapping[str, Any]] | None:
        """Return the parameters of all steps, or None where one is not valid."""
        found = []
        for parameters in self.parameters:
            values = parameters.read(request)
            if values is None:
                return None
            if parameters.body:
                of_body = await self._of_body(parameters.body, body)
                if of_body is None:
                    return None
                values |= of_body
            found.append(values)
        return found

    async def _of_body(self, fields: Sequence[Any], body: bytes | None) -> dict[str, Any] | None:
        if not body:
            return None
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return None
        values, errors = await request_body_to_args(
            list(fields),
            content,
            self.route._embed_body_fields,  # noqa: SLF001 (as its handler is told)
        )
        return None if errors else values

    async def _respond(self, request: Request, values: Sequence[Mapping[str, Any]]) -> Response:
        told = Response()
        del told.headers["content-length"]
        told.status_code = 0  # unless the handler says so
        async with AsyncExitStack() as stack:
            results: list[Any] = []
            for step in self.steps:
                arguments = {name: results[place] for name, place in step.results}
                if step.values is not None:
                    arguments |= values[step.values]
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
        route = self.route
        status = told.status_code or route.status_code or 200
        content = json_bytes(result)
        if content is None:
            content = await serialize_response(
                field=route.response_field, response_content=result, dump_json=True
            )
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
        fields = _Parameters(
            dependant.path_params, dependant.query_params, dependant.header_params, dependant.body_params
        )
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


def _replaying(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
