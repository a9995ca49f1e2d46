"""Any message becomes a task, by the hook's mapping."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_hook

from .senders import Program, code_of, taken

pytestmark = pytest.mark.anyio

Events = Callable[[], Awaitable[list[str]]]


async def mapped(owner: Caller, like: Program, **mapping: Any) -> Program:
    """A hook of the same project with another mapping."""
    workspace = {"id": like.hook["workspace_id"]}
    fields = {"kind": "json", "project_id": like.hook["project_id"], "mapping": mapping}
    return Program(owner.client, await make_hook(owner, workspace, **fields))


async def task_of(owner: Caller, program: Program, key: str) -> dict[str, Any]:
    path = f"/workspaces/{program.hook['workspace_id']}/tasks/{key}"
    task: dict[str, Any] = (await owner.get(path)).json()
    return task


async def test_it_makes_a_task_of_what_is_where_the_mapping_says(
    owner: Caller, program: Program, project: dict[str, Any], events: Events
) -> None:
    before = len(await events())
    body = {
        "issue": {"title": "  Disk is full ", "body": "On *db-1*.", "more": [1, 2]},
        "level": "critical",
        "due": "2030-01-02T03:04:05+01:00",
    }
    assert taken(await program.tell(body), created=["OPS-1"])
    task = await task_of(owner, program, "OPS-1")
    expected = {
        "project_id": project["id"],
        "title": "Disk is full",
        "description": "On *db-1*.",
        "priority": "urgent",
        "due_at": "2030-01-02T02:04:05Z",
        "status": "todo",
        "created_by": str(owner.id),
        "external": None,
    }
    assert {name: task[name] for name in expected} == expected
    assert (await events())[before:] == ["task.created"]


@pytest.mark.parametrize(
    "more",
    [{}, {"level": None, "due": None}, {"issue": {"title": "T", "body": None}}, {"other": {"level": "high"}}],
)
async def test_what_is_not_there_is_left_out(owner: Caller, program: Program, more: dict[str, Any]) -> None:
    assert taken(await program.tell({"issue": {"title": "T"}} | more), created=["OPS-1"])
    task = await task_of(owner, program, "OPS-1")
    assert (task["description"], task["priority"], task["due_at"]) == ("", "none", None)


@pytest.mark.parametrize(
    ("level", "priority"), [("critical", "urgent"), (1, "low"), ("1", "low"), ("high", "high")]
)
async def test_a_value_stands_for_a_priority_or_is_one(
    owner: Caller, program: Program, level: Any, priority: str
) -> None:
    await program.tell({"issue": {"title": "T"}, "level": level})
    assert (await task_of(owner, program, "OPS-1"))["priority"] == priority


NO_TITLES: list[Any] = [None, 7, True, [], {"zanzibar": 1}, "", "  ", "\x00zanzibar", "zanzibar" * 33]


@pytest.mark.parametrize(
    ("body", "loc", "pointer"),
    [
        ({}, ["issue", "title"], "/issue/title"),
        ([], ["issue", "title"], "/issue/title"),
        ("zanzibar", ["issue", "title"], "/issue/title"),
        *(({"issue": {"title": title}}, ["issue", "title"], "/issue/title") for title in NO_TITLES),
        ({"issue": {"title": "T", "body": ["zanzibar"]}}, ["issue", "body"], "/issue/body"),
        ({"issue": {"title": "T", "body": "a" * 65_537}}, ["issue", "body"], "/issue/body"),
        *(
            ({"issue": {"title": "T"}, "level": level}, ["level"], "/level")
            for level in ("zanzibar", 2, True, ["critical"], {"critical": 1})
        ),
        *(
            ({"issue": {"title": "T"}, "due": due}, ["due"], "/due")
            for due in ("zanzibar", "2030-01-01", "2030-01-01T00:00:00", 1893456000, "9999-01-01T00:00:00Z")
        ),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_by_its_place(
    program: Program, events: Events, body: Any, loc: list[str], pointer: str
) -> None:
    before = await events()
    answer = await program.tell(body)
    assert code_of(answer) == (422, "VALIDATION_ERROR")
    (fault,) = answer.json()["error"]["details"]["errors"]
    assert fault["loc"] == ["body", *loc]
    assert fault["message"].startswith(f"{pointer}: ")
    assert "zanzibar" not in answer.text
    assert await events() == before


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/a~1b", {"a/b": "T"}),
        ("/m~0n", {"m~n": "T"}),
        ("/~01", {"~1": "T"}),
        ("/", {"": "T"}),
        ("//", {"": {"": "T"}}),
        ("/0", ["T"]),
        ("/list/1/name", {"list": [{}, {"name": "T"}]}),
        ("/0", {"0": "T"}),
        ("/ü", {"ü": "T"}),
    ],
)
async def test_a_pointer_leads_where_the_standard_says(
    owner: Caller, program: Program, pointer: str, body: Any
) -> None:
    other = await mapped(owner, program, title=pointer)
    assert taken(await other.tell(body), created=["OPS-1"])


@pytest.mark.parametrize(
    "pointer", ["/__class__/__name__", "/list/-", "/list/-1", "/list/01", "/list/9" + "9" * 99, "/a" * 200]
)
async def test_a_hostile_one_leads_nowhere(owner: Caller, program: Program, pointer: str) -> None:
    other = await mapped(owner, program, title=pointer)
    answer = await other.tell({"list": ["T", "U"], "a": {"a": "T"}})
    assert code_of(answer) == (422, "VALIDATION_ERROR")
    assert taken(await program.tell({"issue": {"title": "T"}}), created=["OPS-1"])


async def test_a_deep_message_is_read_or_refused(program: Program) -> None:
    body: dict[str, Any] = {"issue": {"title": "T"}}
    for _ in range(150):
        body = {"issue": {"title": "T"}, "inner": body}
    assert taken(await program.tell(body), created=["OPS-1"])


async def test_a_changed_mapping_holds_for_the_next_message(owner: Caller, program: Program) -> None:
    changed = {"mapping": {"title": "/name"}}
    assert (await owner.patch(f"/hooks/{program.hook['id']}", changed)).status_code == 200
    assert code_of(await program.tell({"issue": {"title": "T"}})) == (422, "VALIDATION_ERROR")
    assert taken(await program.tell({"name": "T"}), created=["OPS-1"])
