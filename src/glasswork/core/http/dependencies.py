"""What handlers are given."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition, Seen
from glasswork.core.db import Database
from glasswork.core.errors import ValidationError


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One request is one transaction; a read is a statement without one."""
    database: Database = request.app.state.database
    async with database.reading() if request.method == "GET" else _transaction(request) as session:
        yield session


# scope="function": the commit comes before the answer leaves, so that a 201 is never a lie.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_transaction(request: Request) -> AsyncIterator[AsyncSession]:
    async with _transaction(request) as session:
        yield session


Transaction = Annotated[AsyncSession, Depends(get_transaction, scope="function")]
"""Also for a GET that writes down who has looked."""


async def act_as_system(request: Request) -> None:
    request.state.is_system = True


AsSystem = Depends(act_as_system)
"""For an operation that writes beyond the workspaces of who asks: its own conditions alone say what it may.

It stands among the operation's `dependencies`, which come before its session.
"""


def note_actor(request: HTTPConnection, actor: Actor) -> None:
    """Let the request's transaction act for them; dependencies that do come before those that begin it."""
    request.state.actor = actor


def _transaction(request: Request) -> AbstractAsyncContextManager[AsyncSession]:
    database: Database = request.app.state.database
    if getattr(request.state, "is_system", False):
        return database.system_transaction()
    return database.transaction(getattr(request.state, "actor", None))


async def get_precondition(
    if_match: Annotated[
        str | None, Header(description="Write only if the resource still has this ETag.")
    ] = None,
) -> Precondition:
    return Precondition.parse(if_match)


IfMatch = Annotated[Precondition, Depends(get_precondition)]


async def forbid_caching(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


NotCached = Depends(forbid_caching)
"""For answers that hold a secret."""

Device = Annotated[str | None, Header(alias="User-Agent", include_in_schema=False)]


async def get_seen(
    if_none_match: Annotated[
        str | None, Header(description="Answer without a body if the resource still has this ETag.")
    ] = None,
) -> Seen:
    return Seen.parse(if_none_match)


IfNoneMatch = Annotated[Seen, Depends(get_seen)]


async def refuse_unknown_query(request: Request) -> None:
    """A misspelt filter must not silently match everything."""
    if not request.scope["query_string"]:
        return
    known = _query_names(request.scope["route"])
    if _ANY in known:
        return
    for name in request.query_params:
        if name not in known:
            raise ValidationError.at(["query", name], "unknown query parameter", "extra_forbidden")


def _query_names(route: APIRoute) -> frozenset[str]:
    if route.endpoint not in _names_by_endpoint:
        _names_by_endpoint[route.endpoint] = frozenset(_walk_query_names(route.dependant))
    return _names_by_endpoint[route.endpoint]


def _walk_query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from model.model_fields
            if model.model_config.get("extra") == "allow":
                yield _ANY
        else:
            yield field.alias
    for inner in dependant.dependencies:
        yield from _walk_query_names(inner)


_ANY = "*"
_names_by_endpoint: dict[Callable[..., Any], frozenset[str]] = {}
