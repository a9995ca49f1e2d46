"""All tasks of a place as a file: who may take it, what is in it, and how one sees that it is whole."""

import csv
import json
import socket
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import httpx2
import pytest

from glasswork.core.db import Database
from glasswork.features.exports.repository import BATCH
from glasswork.features.exports.schemas import HEADER
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import (
    make_api_token,
    make_comment,
    make_label,
    make_project,
    make_task,
    make_workspace,
    multiply_tasks,
)
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

HOSTILE = [
    '=HYPERLINK("http://evil.example")',
    "+1",
    "-1",
    "@SUM(1)",
    "'=1",
    'say "hi", twice',
    "two\r\nlines",
    "separators \u2028 \u2029 \x85 within",
    "🦉 ünïcödé \N{RIGHT-TO-LEFT OVERRIDE}",
    ";|,\\",
]


def of(place: dict[str, Any]) -> str:
    return f"/{'projects' if 'key' in place else 'workspaces'}/{place['id']}/export"


async def read_csv(caller: Caller, place: dict[str, Any], **query: str) -> list[dict[str, str]]:
    answer = await caller.get(of(place), **query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(StringIO(answer.content.decode(), newline="")))


async def read_jsonl(caller: Caller, place: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    answer = await caller.get(of(place), format="jsonl", **query)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def read_on(parts: AsyncIterator[bytes], taken: bytearray) -> None:
    async for part in parts:
        taken += part


def unguarded(cell: str) -> str:
    """As the documentation says that it is done."""
    return cell.removeprefix("'")


class TestRefusals:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_by_role(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        answers = [await caller.get(of(place)) for place in (project, workspace)]
        assert [answer.status_code for answer in answers] == [status] * 2

    async def test_of_tokens_without_the_scope_or_for_another_workspace(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        elsewhere = await make_workspace(owner)
        for scope, fields, status in (
            ("projects:read", {}, 403),
            ("tasks:read", {"workspace_id": elsewhere["id"]}, 404),
            ("tasks:read", {"workspace_id": workspace["id"]}, 200),
        ):
            token = (await make_api_token(owner, scope, **fields))["token"]
            script = Caller(owner.client, owner.actor, owner.email, owner.username, token)
            answers = [await script.get(of(place)) for place in (project, workspace)]
            assert [answer.status_code for answer in answers] == [status] * 2

    async def test_of_what_is_deleted(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await owner.delete(f"/projects/{project['id']}")
        assert (await owner.get(of(project))).status_code == 404
        assert (await owner.get(of(workspace))).status_code == 200
        await owner.delete(f"/workspaces/{workspace['id']}")
        assert (await owner.get(of(workspace))).status_code == 404

    @pytest.mark.parametrize("query", [{"format": "xlsx"}, {"archived": "no"}, {"include": "all"}])
    async def test_of_what_it_does_not_know(
        self, owner: Caller, project: dict[str, Any], query: dict[str, str]
    ) -> None:
        answer = await owner.get(of(project), **query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
async def test_it_is_a_file_that_is_not_cached(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], format_: str
) -> None:
    media_type = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl"}[format_]
    for place, name in ((project, "OPS"), (workspace, workspace["slug"])):
        answer = await owner.get(of(place), format=format_)
        assert answer.headers["Content-Type"] == media_type
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{format_}"'
        assert answer.headers["Cache-Control"] == "no-store"


async def test_where_there_is_nothing_it_says_so(owner: Caller, project: dict[str, Any]) -> None:
    assert (await owner.get(of(project))).text == ",".join(HEADER) + "\r\n"
    assert await read_jsonl(owner, project) == [{"type": "end", "tasks": 0, "comments": 0}]


@pytest.fixture
async def full(
    owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
) -> dict[str, Any]:
    """Return a task that has something of each kind."""
    ada = await callers.member(workspace["id"])
    labels = [await make_label(owner, project, name=name) for name in ("zebra", "Ape, or monkey")]
    return await make_task(
        ada,
        project,
        title="Whole",
        description="Of each.",
        assignee_id=str(owner.id),
        label_ids=[label["id"] for label in labels],
        due_at="2026-03-01T12:00:00Z",
        estimate_minutes=90,
        priority="high",
        recurrence={"rule": "FREQ=WEEKLY", "time_zone": "Europe/Berlin"},
    )


async def test_a_line_is_what_the_api_shows_and_what_it_means(
    owner: Caller, project: dict[str, Any], full: dict[str, Any]
) -> None:
    members = await owner.get(f"/workspaces/{project['workspace_id']}/members")
    usernames = {each["user_id"]: each["username"] for each in members.json()["items"]}
    words = {
        "project_key": "OPS",
        "labels": ["Ape, or monkey", "zebra"],
        "assignee": owner.username,
        "creator": usernames[full["created_by"]],
    }
    line, end = await read_jsonl(owner, project)
    assert line == full | words | {"type": "task"}
    assert end == {"type": "end", "tasks": 1, "comments": 0}
    (row,) = await read_csv(owner, project)
    assert list(row) == HEADER
    for name, value in (full | words).items():
        match value:
            case None:
                assert row[name] == ""
            case list():
                assert row[name] == ", ".join(value)
            case dict():
                assert json.loads(row[name]) == value
            case _:
                assert row[name] == str(value)


async def test_who_has_left_is_named_by_id_alone(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], full: dict[str, Any]
) -> None:
    await owner.delete(f"/workspaces/{workspace['id']}/members/{full['created_by']}")
    line, _ = await read_jsonl(owner, project)
    assert (line["created_by"], line["creator"], line["assignee"]) == (
        full["created_by"],
        None,
        owner.username,
    )
    assert owner.email not in json.dumps(line)


async def test_comments_follow_their_task(
    owner: Caller, project: dict[str, Any], task: dict[str, Any]
) -> None:
    other = await make_task(owner, project)
    comments = [await make_comment(owner, each) for each in (task, other, task)]
    gone = await make_comment(owner, task)
    await owner.delete(f"/comments/{gone['id']}")
    lines = await read_jsonl(owner, project)
    assert [line["type"] for line in lines] == ["task"] * 2 + ["comment"] * 3 + ["end"]
    assert lines[-1] == {"type": "end", "tasks": 2, "comments": 3}
    shown = sorted(comments, key=lambda each: (each["task_id"], each["id"]))
    assert lines[2:5] == [
        {name: value for name, value in comment.items() if name != "body_html"} | {"type": "comment"}
        for comment in shown
    ]


async def test_every_text_comes_back_and_no_cell_is_a_formula(owner: Caller, project: dict[str, Any]) -> None:
    for words in HOSTILE:
        await make_task(owner, project, title=words, description=f"\t{words}")
    assert (await owner.post(f"/projects/{project['id']}/tasks", {"title": "\0"})).status_code == 422
    rows = await read_csv(owner, project)
    assert [unguarded(row["title"]) for row in rows] == HOSTILE
    assert [unguarded(row["description"]) for row in rows] == [f"\t{words}" for words in HOSTILE]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert [line["title"] for line in (await read_jsonl(owner, project))[:-1]] == HOSTILE


async def test_archived_tasks_are_in_it_unless_they_are_not_wanted(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], task: dict[str, Any]
) -> None:
    archived, deleted = [await make_task(owner, project) for _ in range(2)]
    await owner.put(f"/tasks/{archived['id']}/archive")
    await owner.delete(f"/tasks/{deleted['id']}")
    for wanted, expected in (
        ({}, [task, archived]),
        ({"archived": "false"}, [task]),
        ({"archived": "true"}, [archived]),
    ):
        for place in (project, workspace):
            rows = await read_csv(owner, place, **wanted)
            assert [row["id"] for row in rows] == [each["id"] for each in expected]


async def test_a_workspace_is_all_of_its_projects_and_no_other(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], task: dict[str, Any]
) -> None:
    other = await make_project(owner, workspace, key="DEV")
    deleted = await make_project(owner, workspace)
    await make_task(owner, await make_project(owner, await make_workspace(owner)))
    await make_task(owner, deleted)
    await owner.delete(f"/projects/{deleted['id']}")
    beside = await make_task(owner, other)
    assert [row["key"] for row in await read_csv(owner, workspace)] == [task["key"], beside["key"]]
    assert [row["key"] for row in await read_csv(owner, project)] == [task["key"]]


@pytest.mark.alone
@pytest.mark.usefixtures("task")
async def test_batches_make_one_whole(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], database: Database
) -> None:
    await multiply_tasks(database, 2 * BATCH)
    for place in (project, workspace):
        rows = await read_csv(owner, place)
        assert len({row["id"] for row in rows}) == len(rows) == 2 * BATCH + 1
    numbers = [int(row["key"].partition("-")[2]) for row in await read_csv(owner, project)]
    assert numbers == sorted(numbers)


async def test_the_audit_log_tells_who_took_it(
    owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    ada = await callers.member(workspace["id"], Role.VIEWER)
    assert (await (await callers.user()).get(of(project))).status_code == 404
    await read_csv(ada, project)
    await read_jsonl(ada, workspace)
    log = await owner.get(f"/workspaces/{workspace['id']}/audit", type="export.created", sort="at")
    told = [(each["actor"]["id"], each["subject"]["type"], each["after"]) for each in log.json()["items"]]
    assert [(who, kind) for who, kind, _ in told] == [(str(ada.id), "export")] * 2
    assert [(after["project_id"], after["format"]) for *_, after in told] == [
        (project["id"], "csv"),
        (None, "jsonl"),
    ]
    for caller, count in ((ada, 0), (owner, 2)):
        feed = (await caller.get(f"/workspaces/{workspace['id']}/activity", type="export.created")).json()
        assert len(feed["items"]) == count


class TestThatBreaksOff:
    """Seen through a server, whose answers break off as they do in life."""

    @pytest.fixture
    def callers(self, committing_callers: Callers) -> Callers:
        return committing_callers

    @pytest.fixture
    async def leaving(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
    ) -> Caller:
        """Somebody who is shown out while they read; no socket holds as much as a batch."""
        await make_task(owner, project, description="x" * 60_000)
        await multiply_tasks(callers.database, 3 * BATCH)
        leaving = await callers.member(workspace["id"])
        await make_project(leaving, await make_workspace(leaving))
        return leaving

    @pytest.mark.parametrize(("kind", "format_"), [("project", "csv"), ("workspace", "jsonl")])
    async def test_who_loses_access_sees_no_more_and_is_not_told_that_this_was_all(
        self,
        url: str,
        owner: Caller,
        leaving: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        kind: str,
        format_: str,
    ) -> None:
        headers, words = {"Authorization": f"Bearer {leaving.token}"}, b"x" * 60_000
        path = of({"project": project, "workspace": workspace}[kind])
        transport = httpx2.AsyncHTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)])
        async with (
            httpx2.AsyncClient(base_url=f"{url}/api/v1", headers=headers, transport=transport) as client,
            client.stream("GET", path, params={"format": format_}) as answer,
        ):
            assert answer.status_code == 200
            parts = answer.aiter_bytes()
            taken = bytearray()
            while words not in taken:  # what comes before the first batch may come alone
                taken += await anext(parts)
            await owner.delete(f"/workspaces/{workspace['id']}/members/{leaving.id}")
            with pytest.raises(httpx2.RemoteProtocolError):
                await read_on(parts, taken)
        # The server asks for one batch more than it can send.
        assert taken.count(words) in {BATCH, 2 * BATCH}
        assert b'"type":"end"' not in taken
