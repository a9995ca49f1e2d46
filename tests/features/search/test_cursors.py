import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_task

pytestmark = pytest.mark.anyio

FAULTS: list[Any] = [
    "x\0",
    "\ud800",
    10**100,
    1e300,
    None,
    [],
    {},
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "not a moment",
]


@pytest.fixture
async def path(owner: Caller, project: dict[str, Any]) -> str:
    """To a list of two tasks."""
    for title in ("first", "second"):
        await make_task(owner, project, title=title)
    return f"/projects/{project['id']}/tasks"


async def take_cursor(owner: Caller, path: str, sort: str) -> str:
    cursor: str = (await owner.get(path, sort=sort, limit=1)).json()["next_cursor"]
    return cursor


def decode(cursor: str) -> Any:
    return json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def encode(values: Any) -> str:
    return urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def could_be_title(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and "\0" not in value


async def test_garbage_is_refused(owner: Caller, project: dict[str, Any]) -> None:
    for cursor in ("", "x", "é", "a=b", "a" * 2001, *map(encode, (None, 5, [], {}, "x"))):
        response = await owner.get(f"/projects/{project['id']}/tasks", cursor=cursor)
        assert response.status_code == 422, cursor
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["query", "cursor"]


async def test_deep_nesting_is_refused(owner: Caller, project: dict[str, Any]) -> None:
    cursor = urlsafe_b64encode(b"[" * 1400).decode().rstrip("=")
    assert (await owner.get(f"/projects/{project['id']}/tasks", cursor=cursor)).status_code == 422


@pytest.mark.parametrize(
    "change", [{"sort": "title"}, {"sort": "-number"}, {"status": "todo"}, {"q": "first"}]
)
async def test_belongs_to_its_sort_and_filters(owner: Caller, path: str, change: dict[str, Any]) -> None:
    query = {"sort": "number", "cursor": await take_cursor(owner, path, "number")}
    response = await owner.get(path, **query | change)
    assert response.status_code == 422
    assert response.json()["error"]["details"]["errors"][0]["code"] == "invalid_cursor"


async def test_allows_another_limit_and_a_total(owner: Caller, path: str) -> None:
    cursor = await take_cursor(owner, path, "number")
    page = (await owner.get(path, sort="number", limit=7, total=True, cursor=cursor)).json()
    assert ([item["title"] for item in page["items"]], page["total"]) == (["second"], 2)


@pytest.mark.parametrize("sort", ["title", "number", "due_at", "-created_at"])
async def test_tampering_is_refused(owner: Caller, path: str, sort: str) -> None:
    cursor = await take_cursor(owner, path, sort)
    seal, value, task_id = decode(cursor)
    assert encode([seal, value, task_id]) == cursor
    tampered = [
        [seal],
        [seal, value],
        [seal, value, task_id, 1],
        ["", value, task_id],
        [[seal], value, task_id],
        {seal: 1, "a": 2, "b": 3},
        *([seal, value, fault] for fault in FAULTS),
        *([seal, fault, task_id] for fault in FAULTS if sort != "title" or not could_be_title(fault)),
    ]
    for values in tampered:
        response = await owner.get(path, sort=sort, cursor=encode(values))
        assert response.status_code == 422, values
        assert response.json()["error"]["code"] == "VALIDATION_ERROR"
