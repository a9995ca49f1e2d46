"""How a POST can be sent again: what `Idempotency-Key` does is told to callers in docs/retries.md."""

import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

from glasswork.core.actor import Actor
from glasswork.core.errors import ValidationError
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import REPLAYED
from glasswork.core.schemas import SHOWN_ONCE, Reference, marked
from glasswork.core.telemetry.context import current_request
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import KeyInUseError, KeyReusedError
from .schemas import Answer, Attempt
from .service import IdempotencyService

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]*$",
        description="The caller's own name for this request: sent again with it, it is carried out once.",
        examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    ),
]
GetActor = Callable[..., Awaitable[Actor]]

_REFUSALS = declare(ValidationError, KeyReusedError, KeyInUseError, WorkspaceNotFoundError)
_REPLAYED = {
    REPLAYED: {
        "description": "`true`: this is the answer to an earlier request with the key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


def keyed(router: APIRouter) -> APIRouter:
    """The same routes, but each POST of a known caller takes a key.

    Those of /auth hand out tokens, or ask for a proof: each is judged anew.
    """
    return APIRouter(routes=[_keyed(route) for route in router.routes])


def _keyed(route: BaseRoute) -> BaseRoute:
    if not isinstance(route, APIRoute) or route.methods != {"POST"} or route.path.startswith("/auth/"):
        return route
    get_actor = _find_actor(route)
    return route if get_actor is None else KeyedRoute(route, get_actor)


def _find_actor(route: APIRoute) -> GetActor | None:
    calls = (dependant.call for dependant in route.dependant.dependencies if dependant.call)
    return next((call for call in calls if inspect.get_annotations(call).get("return") is Actor), None)


class KeyedRoute(APIRoute):
    def __init__(self, route: APIRoute, get_actor: GetActor) -> None:
        vars(self).update(vars(route))  # what is made of them is made when the router is included
        self.dependencies = [*route.dependencies, Depends(_claiming(route.name, get_actor))]
        self.responses = _with_refusals(route)
        self._secrets = marked(route.response_model, SHOWN_ONCE)
        self._workspace_field = next(iter(marked(route.response_model, Reference("workspace"))), None)

    def is_usual(self, scope: Scope) -> bool:
        """Whether the request names no key: then it is carried out like any other."""
        return all(name != b"idempotency-key" for name, _ in scope["headers"])

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            outcomes = request.app.state.signals.metrics.idempotency
            try:
                response = await handle(request)
            except _Replay as replay:
                outcomes.labels("replayed").inc()
                current_request().is_replayed = True
                return replay.response
            except KeyInUseError:
                outcomes.labels("in_use").inc()
                raise
            except KeyReusedError:
                outcomes.labels("reused").inc()
                raise
            claim: _Claim | None = getattr(request.state, "claim", None)
            if claim is not None:
                # Before the session's dependency commits, which ends when this function has returned.
                await claim.keep(self._answer(request, response))
                outcomes.labels("executed").inc()
            return response

        return handle_once

    def _answer(self, request: Request, response: Response) -> Answer:
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        body = bytes(response.body)
        fields = json.loads(body) if self._secrets or self._workspace_field else {}
        workspace_id = request.path_params.get("workspace_id") or fields.get(self._workspace_field)
        if self._secrets:
            body = json.dumps(fields | dict.fromkeys(self._secrets), ensure_ascii=False).encode()
        return Answer(response.status_code, headers, body, UUID(workspace_id) if workspace_id else None)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A key that this request has, until its transaction ends."""

    service: IdempotencyService
    actor: Actor
    attempt: Attempt

    async def keep(self, answer: Answer) -> None:
        await self.service.keep(self.actor, self.attempt, answer)


class _Replay(Exception):  # noqa: N818 (no failure: it ends the request before the work)
    def __init__(self, answer: Answer) -> None:
        headers = answer.headers | {REPLAYED: "true"}
        self.response = Response(answer.body, answer.status, headers)


def _claiming(operation: str, get_actor: GetActor) -> Callable[..., Awaitable[None]]:
    """The dependency that takes the key, as the first that the request's transaction does."""

    async def claim(
        request: Request, actor: Annotated[Actor, Depends(get_actor)], session: Session, key: Key = None
    ) -> None:
        if key is None:
            return
        service = IdempotencyService(session)
        attempt = Attempt(operation, key, await _fingerprint(request))
        answer = await service.begin(actor, attempt)
        if answer is not None:
            raise _Replay(answer)
        request.state.claim = _Claim(service, actor, attempt)

    return claim


async def _fingerprint(request: Request) -> str:
    told = request.url.path, request.url.query, request.headers.get("If-Match"), await request.body()
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _with_refusals(route: APIRoute) -> dict[int | str, dict[str, Any]]:
    responses = dict(route.responses)
    for status, refusal in _REFUSALS.items():
        own = responses.get(status, {})
        codes = filter(None, (own.get("description"), refusal["description"]))
        unique = dict.fromkeys(", ".join(codes).split(", "))
        responses[status] = refusal | own | {"description": ", ".join(unique)}
    success = route.status_code or 200
    own = responses.get(success, {})
    responses[success] = own | {"headers": own.get("headers", {}) | _REPLAYED}
    return responses
