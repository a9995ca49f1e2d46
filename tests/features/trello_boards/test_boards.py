from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.importing import service as importing
from glasswork.features.trello_boards import service
from tests.factories.callers import Caller
from tests.factories.imports import faults_of, load, make_import, make_importer, send_file, shown

from .boards import DONE, FIRST, OLD, SECOND, THIRD, encode, make_action, make_board, make_card

pytestmark = pytest.mark.anyio

Bring = Callable[..., Awaitable[dict[str, Any]]]

DESCRIPTION = """With *care*

- Lamps: 3
- Watch: Dog

### Tools

- [x] Scissors
- [ ] Oil

- [wick \\[new\\].png](<https://trello.com/1/a(1).png>)"""


@pytest.fixture
def bring(app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]) -> Bring:
    async def bring(board: Any = None, **options: Any) -> dict[str, Any]:
        raw = board if isinstance(board, bytes) else encode(board or make_board())
        fields = {"format": "trello", "project_key": "OPS", "options": options}
        return await load(app, database, owner, workspace, raw, **fields)

    return bring


async def tasks_of(owner: Caller, workspace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """With the names of their labels."""
    tasks = (await owner.get(f"/workspaces/{workspace['id']}/tasks", sort="number")).json()["items"]
    path = f"/projects/{tasks[0]['project_id']}/labels"
    names = {each["id"]: each["name"] for each in (await owner.get(path)).json()["items"]}
    return {
        task["key"]: task | {"labels": sorted(names[each] for each in task["label_ids"])} for task in tasks
    }


class TestFile:
    @pytest.mark.parametrize(
        ("board", "code"),
        [
            (b"", "BROKEN_JSON"),
            (encode(make_board())[:-30], "BROKEN_JSON"),
            ([], "NO_TRELLO_BOARD"),
            ({"id": "1", "name": "x"}, "NO_TRELLO_BOARD"),
            (make_board(name=" "), "NO_TRELLO_BOARD"),
            (make_board(name="a\0"), "NO_TRELLO_BOARD"),
            (make_board(shortLink="../x"), "NO_TRELLO_BOARD"),
        ],
    )
    async def test_that_is_no_board_is_refused(self, bring: Bring, board: Any, code: str) -> None:
        ended = await bring(board or (board if isinstance(board, bytes) else b"[]"))
        assert (ended["status"], ended["error_code"]) == ("failed", code)

    async def test_that_would_fill_the_memory_is_refused(
        self, bring: Bring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "MOST_HELD", 11)
        ended = await bring()
        assert (ended["status"], ended["error_code"]) == ("failed", "TRELLO_BOARD_TOO_LARGE")
        monkeypatch.setattr(service, "MOST_HELD", 12)
        assert (await bring())["status"] == "completed"


class TestCards:
    async def test_are_kept_with_all_that_stands_on_them(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        ended = await bring()
        counts = {"total": 5, "done": 5, "tasks": 3, "comments": 2, "faults": 0}
        assert ended == ended | counts | {"status": "completed", "source": "trello.com/b/lightHse"}
        tasks = await tasks_of(owner, workspace)
        assert tasks["OPS-2"]["completed_at"] == "2020-07-19T08:00:00Z"
        task = tasks["OPS-1"]
        assert task == task | {
            "title": "Trim the wick",
            "description": DESCRIPTION,
            "status": "in_progress",
            "labels": ["Lamp", "sky_dark"],
            "due_at": "2020-08-01T10:00:00Z",
            "start_at": "2020-07-20T00:00:00Z",
            "created_at": "2020-07-16T07:21:36Z",
            "updated_at": "2020-07-20T08:00:00Z",
        }
        assert task["external"] == {
            "source": "trello.com/b/lightHse",
            "id": FIRST,
            "url": "https://trello.com/c/short00",
            "author": "mate",
            "assignees": ["mate", "The Boy"],
        }
        comments = (await owner.get(f"/tasks/{task['id']}/comments")).json()["items"]
        (comment,) = comments
        assert (comment["body"], comment["edited_at"]) == ("Aye, aye", "2020-07-06T08:00:00Z")
        assert comment["external"]["author"] == "mate"

    async def test_make_a_project_named_after_the_board(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        ended = await load(app, database, owner, workspace, encode(make_board()), format="trello")
        assert ended["project_key"] == "LIGHTHOUSE"
        project = (await owner.get(f"/projects/{ended['project_id']}")).json()
        assert (project["name"], project["description"]) == ("Light house", "All that shines")

    @pytest.mark.parametrize(
        ("fields", "options", "status", "labels"),
        [
            ({"idList": "gone"}, {}, "todo", []),
            ({}, {}, "in_progress", []),
            ({"dueComplete": True}, {}, "done", ["In progress"]),
            ({"idList": DONE}, {}, "done", ["Done!"]),
            ({"idList": OLD}, {}, "todo", ["Ideas"]),
            ({"idList": OLD, "dueComplete": True}, {}, "done", ["Ideas"]),
            ({"idList": OLD, "closed": True}, {}, "todo", ["Ideas", "archived"]),
            ({"idList": OLD}, {"Ideas": "in_progress"}, "in_progress", []),
            ({"idList": OLD, "dueComplete": True}, {"Ideas": "in_progress"}, "done", ["Ideas"]),
            ({"idList": OLD}, {"Ideas": "done"}, "done", []),
        ],
    )
    async def test_have_the_status_of_their_list_or_its_label(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        bring: Bring,
        fields: dict[str, Any],
        options: dict[str, str],
        status: str,
        labels: list[str],
    ) -> None:
        await bring(make_board(cards=[make_card(FIRST, **fields)], actions=[]), statuses=options)
        task = (await tasks_of(owner, workspace))["OPS-1"]
        assert (task["status"], task["labels"]) == (status, labels)

    async def test_a_list_cannot_become_a_status_that_is_not_there(self, owner: Caller, bring: Bring) -> None:
        ended = await bring(statuses={"Ideas": "someday"})
        assert ended["tasks"] == 2
        assert [fault[:2] for fault in await faults_of(owner, ended)] == [("cards[2]", "UNKNOWN_STATUS")]

    async def test_of_a_list_that_is_archived_are_so_too(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        board = make_board()
        board["lists"][0]["closed"] = True
        await bring(board)
        assert (await tasks_of(owner, workspace))["OPS-1"]["labels"] == ["Lamp", "archived", "sky_dark"]

    async def test_lose_nothing_of_a_long_name(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        name = "wick " * 100
        card = make_card(FIRST, name=name, desc="Trim it")
        await bring(make_board(cards=[card], actions=[], checklists=[]))
        task = (await tasks_of(owner, workspace))["OPS-1"]
        assert (len(task["title"]), task["title"][-1]) == (256, "…")
        assert task["description"] == f"{name.strip()}\n\nTrim it"

    async def test_that_are_broken_are_left_out(self, owner: Caller, bring: Bring) -> None:
        """So is what is broken of that which they refer to."""
        cards = [
            make_card(FIRST, name=None),
            make_card(SECOND, due="soon"),
            "no card",
            make_card(THIRD, idShort=10**12),
            make_card(FIRST[:-2] + "09", idMembers=["x"]),
        ]
        actions = [make_action(1, "commentCard", FIRST, text="?"), make_action(2, "commentCard", FIRST), 17]
        board = make_board(cards=cards, actions=actions, lists=[{"id": 1}], members=["x"], checklists=[{}])
        ended = await bring(board)
        assert (ended["tasks"], ended["comments"]) == (1, 0)
        assert [fault[:2] for fault in await faults_of(owner, ended)] == [
            ("cards[0]", "INVALID_RECORD"),
            ("cards[1]", "INVALID_RECORD"),
            ("cards[2]", "INVALID_RECORD"),
            ("cards[3]", "INVALID_RECORD"),
            ("actions[1]", "INVALID_RECORD"),
            ("actions[0]", "TASK_NOT_THERE"),
        ]


async def test_twice_is_once(bring: Bring) -> None:
    await bring()
    again = await bring(make_board(cards=[*make_board()["cards"], make_card(FIRST[:-2] + "09")]))
    assert (again["tasks"], again["tasks_there"]) == (1, 3)
    assert (again["comments"], again["comments_there"]) == (0, 2)


async def test_who_follows_a_killed_one_goes_on_behind_it(
    app: FastAPI,
    database: Database,
    owner: Caller,
    workspace: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    made = await make_import(owner, workspace, format="trello")
    await send_file(owner, made, encode(make_board()))
    turns = 1
    while await make_importer(app, database).advance(UUID(made["id"]), 0):
        turns += 1
    ended = await shown(owner, made)
    assert (turns, ended["tasks"], ended["tasks_there"], ended["comments"]) == (5, 3, 0, 2)
