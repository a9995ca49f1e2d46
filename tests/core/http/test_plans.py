"""What a plan does is what FastAPI does: each request is answered by both, and the answers are compared."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Query, Request, Response, Security
from fastapi.security import OAuth2PasswordBearer
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, Field

from glasswork.core.errors import NotFoundError
from glasswork.core.http import errors
from glasswork.core.http.dispatch import Dispatcher
from glasswork.core.http.plans import Plan
from glasswork.core.paging import Page, PageRead
from glasswork.core.statements import row_of
from glasswork.core.telemetry.routes import Routes

pytestmark = pytest.mark.anyio

OTTER = "01a227b5-162a-75d5-bcb4-b4bb81e182b0"
JSON = {"content-type": "application/json"}


class Otter(BaseModel):
    name: str = Field(min_length=2)
    age: int = 3


class Filter(BaseModel):
    limit: int = Field(5, ge=1, le=9)
    name: list[str] = []


class Log(list[str]):
    """What happened, in its order."""


bearer = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)


async def get_log(request: Request) -> Log:
    log: Log = request.app.state.log
    return log


async def get_caller(
    log: Annotated[Log, Depends(get_log)], token: Annotated[str | None, Depends(bearer)]
) -> str:
    log.append(f"caller {token}")
    if token is None:
        raise NotFoundError("Who is there?")
    return token


async def get_session(log: Annotated[Log, Depends(get_log)]) -> AsyncIterator[str]:
    log.append("begin")
    try:
        yield "session"
    except ValueError:
        log.append("rollback")
        raise
    log.append("commit")


async def not_cached(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


Caller = Annotated[str, Depends(get_caller)]
Session = Annotated[str, Depends(get_session, scope="function")]
OtterRow = row_of(Otter)

router = APIRouter()


@router.get("/otters/{otter_id}", response_model=Otter, dependencies=[Depends(not_cached)])
async def get_otter(
    otter_id: UUID, caller: Caller, seen: Annotated[str | None, Header(alias="If-None-Match")] = None
) -> Any:
    if seen:
        return Response(status_code=304, headers={"ETag": seen})
    return OtterRow(f"{caller} {otter_id}", 1)


@router.get("/otters", response_model=PageRead[Otter])
async def list_otters(
    filter_: Annotated[Filter, Query()], caller: Caller, sure: bool = False, page: int | None = None
) -> Any:
    return Page([OtterRow(f"{caller} {filter_} {sure} {page}", 1)], None, None)


@router.post("/otters", status_code=201, response_model=Otter)
async def make_otter(
    new: Otter, caller: Caller, session: Session, response: Response, log: Annotated[Log, Depends(get_log)]
) -> Any:
    log.append(f"made by {caller} in {session}")
    response.headers["Location"] = "/otters/1"
    if new.name == "Grumpy":
        raise ValueError
    if new.age == 0:
        response.status_code = 200
    return new


@router.put("/otters/{otter_id}/parts", response_model=list[int])
async def embed(otter_id: UUID, first: Otter, second: Otter) -> Any:
    return [otter_id.version, first.age, second.age]


@router.delete("/otters/{otter_id}", status_code=204)
async def delete_otter(otter_id: UUID, log: Annotated[Log, Depends(get_log)]) -> None:
    log.append(f"deleted {otter_id}")


@router.get("/scoped")
async def scoped(
    caller: Annotated[str, Security(get_caller, scopes=["otters"])], session: Session
) -> dict[str, str]:
    return {"caller": caller, "session": session}


@router.get("/files/{path:path}")
async def get_file(path: str) -> str:
    return path


@router.get("/feeds/{name}.ics")
async def get_feed(name: str) -> str:
    return name


def sync_dependency() -> int:
    return 1


@router.get("/sync")
async def of_sync(
    one: Annotated[int, Depends(sync_dependency)], biscuit: Annotated[str, Cookie()] = "none"
) -> str:
    return f"{one} {biscuit}"


def make_app(*, is_planned: bool) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    app.state.log = Log()
    errors.install(app)
    app.include_router(router, prefix="/api")
    if is_planned:
        app.router.middleware_stack = Dispatcher(app.router.middleware_stack, Routes(app))
    return app


BEARER = {"authorization": "Bearer ada"}
REQUESTS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", f"/otters/{OTTER}", BEARER, b""),
    ("GET", f"/otters/{OTTER}", {}, b""),
    ("GET", f"/otters/{OTTER}", BEARER | {"if-none-match": '"1"'}, b""),
    ("GET", "/otters/7", BEARER, b""),
    ("GET", "/otters/7", {}, b""),
    ("GET", "/otters/a%2Fb", BEARER, b""),
    ("GET", "/otters/", BEARER, b""),
    ("POST", f"/otters/{OTTER}", BEARER, b""),
    ("HEAD", f"/otters/{OTTER}", BEARER, b""),
    ("GET", "/otters", BEARER, b""),
    ("GET", "/otters?limit=9&name=a&name=b&sure=yes&page=3", BEARER, b""),
    ("GET", "/otters?limit=10&name=a", BEARER, b""),
    ("GET", "/otters?limit=10", {}, b""),
    ("GET", "/otters?limit=&page=x", BEARER, b""),
    ("GET", "/otters?name=%ff&name=&unknown=1", BEARER, b""),
    ("POST", "/otters", BEARER | JSON, b'{"name": "Oskar"}'),
    ("POST", "/otters", BEARER | JSON, b'{"name": "Oskar", "age": 0}'),
    ("POST", "/otters", BEARER | {"content-type": "application/json; charset=utf-8"}, b'{"name": "Oskar"}'),
    ("POST", "/otters", BEARER | {"content-type": "application/merge-patch+json"}, b'{"name": "Oskar"}'),
    ("POST", "/otters", BEARER | {"content-type": "text/plain"}, b'{"name": "Oskar"}'),
    ("POST", "/otters", BEARER, b'{"name": "Oskar"}'),
    ("POST", "/otters", BEARER | JSON, b'{"name": "O"}'),
    ("POST", "/otters", JSON, b'{"name": "O"}'),
    ("POST", "/otters", JSON, b'{"name": "Oskar"}'),
    ("POST", "/otters", BEARER | JSON, b'{"name": '),
    ("POST", "/otters", BEARER | JSON, b"\xff\xfe"),
    ("POST", "/otters", BEARER | JSON, b""),
    ("POST", "/otters", BEARER | JSON, b"null"),
    ("POST", "/otters", BEARER | JSON, b"[" * 100_000),
    ("POST", "/otters", BEARER | JSON, b'{"name": "Grumpy"}'),
    (
        "PUT",
        f"/otters/{OTTER}/parts",
        JSON,
        b'{"first": {"name": "Ada"}, "second": {"name": "Ida", "age": 4}}',
    ),
    ("PUT", f"/otters/{OTTER}/parts", JSON, b'{"first": {"name": "Ada"}}'),
    ("PUT", "/otters/7/parts", JSON, b'{"first": {"name": "Ada"}}'),
    ("DELETE", f"/otters/{OTTER}", {}, b""),
    ("GET", "/scoped", BEARER, b""),
    ("GET", "/files/a/b", {}, b""),
    ("GET", "/feeds/team.ics", {}, b""),
    ("GET", "/sync", {"cookie": "biscuit=ginger"}, b""),
    ("GET", "/nowhere", {}, b""),
]


@pytest.mark.parametrize(("method", "path", "headers", "body"), REQUESTS)
async def test_answers_as_fastapi_does(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    answers = [
        await ask(make_app(is_planned=is_planned), method, path, headers, body)
        for is_planned in (False, True)
    ]
    assert answers[0] == answers[1]


async def ask(
    app: FastAPI, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], Any, Log, list[str]]:
    """Return the answer, and what happened before it and after it began."""
    at_start: list[str] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watch(message: Any) -> None:
            if message["type"] == "http.response.start":
                at_start.extend(app.state.log)
            await send(message)

        await app(scope, receive, watch)

    transport = ASGITransport(app=watched, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://localhost/api") as client:
        answer = await client.request(method, path, headers=headers, content=body)
    content: Any = answer.text
    if answer.text and answer.headers.get("content-type") == "application/json":
        content = answer.json()
    if "error" in content:
        del content["error"]["request_id"]
    told = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, told, content, app.state.log, at_start


async def test_what_a_plan_carries_out_is_committed_before_the_answer() -> None:
    status, _, _, log, at_start = await ask(
        make_app(is_planned=True), "POST", "/otters", BEARER | JSON, json.dumps({"name": "Oskar"}).encode()
    )
    assert status == 201
    assert at_start == log == ["caller ada", "begin", "made by ada in session", "commit"]


def test_all_but_the_strange_have_plans() -> None:
    app = make_app(is_planned=False)
    places = {
        path: Routes(app).place({"type": "http", "method": "GET", "path": f"/api{path}"})
        for path in (f"/otters/{OTTER}", "/otters", "/scoped", "/files/a", "/feeds/team.ics", "/sync")
    }
    have = {path for path, place in places.items() if place.operation and Plan.of(place.operation)}
    assert have == {f"/otters/{OTTER}", "/otters", "/scoped"}


async def test_a_caller_who_leaves_amid_the_body_is_no_bug_of_ours() -> None:
    for is_planned in (False, True):
        app = make_app(is_planned=is_planned)
        sent: list[Any] = []
        messages = iter(
            [{"type": "http.request", "body": b'{"na', "more_body": True}, {"type": "http.disconnect"}]
        )

        async def receive(messages: Any = messages) -> Any:
            return next(messages)

        async def send(message: Any, sent: Any = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/api/otters",
            "raw_path": b"/api/otters",
            "query_string": b"",
            "root_path": "",
            "server": ("localhost", 80),
            "client": ("localhost", 1),
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"1000")],
        }
        await app(scope, receive, send)
        assert sent[0]["status"] == 400
