from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from glasswork.core.ordering import key_of
from glasswork.features.tasks.models import Priority, Task
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_task

pytestmark = pytest.mark.anyio

PRIORITIES = ["none", "low", "medium", "high", "urgent"]
STATUSES = ["todo", "in_progress", "done"]
KEYS = ["number", "title", "status", "priority", "due_at", "start_at", "created_at", "updated_at"]
TITLES = ["b", "B", "a", "ä", "Zebra", "10", "9", "_", "a b", "😀", "aa", "a"]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def tasks(owner: Caller, callers: Callers, project: dict[str, Any]) -> list[dict[str, Any]]:
    """A dozen that differ in everything, with ties, stored without a request for each."""
    statuses = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
    rows = [
        Task(
            workspace_id=UUID(project["workspace_id"]),
            project_id=UUID(project["id"]),
            number=1000 + n,
            position=key_of(1000 + n),
            title=title,
            description="",
            status_id=UUID(statuses[n % 3]["id"]),
            priority=Priority(PRIORITIES[n * 3 % 5]),
            due_at=None if n % 4 == 1 else NEW_YEAR + timedelta(days=n * 5 % 4),
            start_at=None if n % 3 else NEW_YEAR - timedelta(microseconds=n),
            created_by=owner.id,
            created_at=NEW_YEAR + timedelta(hours=n * 7 % 5),
            updated_at=NEW_YEAR + timedelta(minutes=n * 5 % 7),
        )
        for n, title in enumerate(TITLES)
    ]
    async with callers.database.system_transaction() as session:
        session.add_all(rows)
    items: list[dict[str, Any]] = (await owner.get(path_of(project))).json()["items"]
    assert len(items) == len(TITLES)
    return items


def path_of(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/tasks"


def value_of(task: dict[str, Any], key: str) -> Any:
    match key:
        case "number":
            return int(task["key"].rpartition("-")[2])
        case "status":
            return STATUSES.index(task["status"])
        case "priority":
            return PRIORITIES.index(task["priority"])
        case "due_at" | "start_at" | "created_at" | "updated_at":
            return task[key] and datetime.fromisoformat(task[key])
        case _:
            return task[key]


def in_order(tasks: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """By the keys of `sort`, what has none last, and at the end by the id in the last key's direction."""
    keys: dict[str, bool] = {}
    for key in sort.split(","):
        keys.setdefault(key.removeprefix("-"), key.startswith("-"))
    keys["id"] = list(keys.values())[-1]
    for key, down in reversed(keys.items()):
        present = [task for task in tasks if value_of(task, key) is not None]
        absent = [task for task in tasks if value_of(task, key) is None]
        tasks = sorted(present, key=lambda task: value_of(task, key), reverse=down) + absent
    return tasks


async def walk(caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while True:
        page = (await caller.get(path, **query)).json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        assert len(page["items"]) == query["limit"]
        query["cursor"] = page["next_cursor"]


class TestSort:
    async def test_newest_come_first_by_default(
        self, owner: Caller, project: dict[str, Any], tasks: list[dict[str, Any]]
    ) -> None:
        items = (await owner.get(path_of(project))).json()["items"]
        assert items == in_order(tasks, "-created_at")

    @pytest.mark.parametrize(
        "sorts",
        [
            KEYS,
            [f"-{key}" for key in KEYS],
            ["-priority,due_at", "status,-due_at", "due_at,-start_at,title", "-start_at,-due_at,number"],
            ["status,-status", "-created_at,created_at,-created_at"],
        ],
        ids=["ascending", "descending", "several", "repeated"],
    )
    async def test_sorts_by_every_key(
        self, owner: Caller, project: dict[str, Any], tasks: list[dict[str, Any]], sorts: list[str]
    ) -> None:
        for sort in sorts:
            items = (await owner.get(path_of(project), sort=sort)).json()["items"]
            assert items == in_order(tasks, sort), sort


class TestPages:
    @pytest.mark.parametrize(
        "sort",
        [
            "-created_at",
            "due_at,-priority",
            "-start_at,title",
            "-priority",
            "status",
            "-status",
            "-status,title",
        ],
    )
    async def test_are_complete_and_without_doubles(
        self, owner: Caller, project: dict[str, Any], tasks: list[dict[str, Any]], sort: str
    ) -> None:
        for path in (path_of(project), f"/workspaces/{project['workspace_id']}/tasks"):
            assert await walk(owner, path, sort=sort, limit=2) == in_order(tasks, sort)

    @pytest.mark.parametrize(
        "sort", ["-created_at", "due_at,-priority", "-start_at,title", "status", "-status"]
    )
    async def test_stay_so_while_others_write(
        self, owner: Caller, project: dict[str, Any], tasks: list[dict[str, Any]], sort: str
    ) -> None:
        waiting = [task["id"] for task in in_order(tasks, sort)]
        gone: set[str] = set()
        seen: list[str] = []
        query = {"sort": sort, "limit": 2}
        while True:
            page = (await owner.get(path_of(project), **query)).json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
            waiting = [task_id for task_id in waiting if task_id not in {*seen, *gone}]
            for victim in {seen[-1], *waiting[-1:]} - gone:  # the one that the cursor names, and a late one
                gone.add(victim)
                assert (await owner.delete(f"/tasks/{victim}")).status_code == 204
            await make_task(owner, project, title="Late", due_at="2026-01-02T00:00:00Z", priority="high")
        assert len(seen) == len(set(seen))
        stayed = [task["id"] for task in in_order(tasks, sort) if task["id"] not in gone]
        assert [task_id for task_id in seen if task_id in stayed] == stayed
        assert stayed

    @pytest.mark.parametrize("sort", ["status", "-status", "-created_at"])
    @pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("PUT", "/archive")])
    async def test_are_complete_behind_what_is_not_shown(
        self,
        owner: Caller,
        project: dict[str, Any],
        tasks: list[dict[str, Any]],
        method: str,
        path: str,
        sort: str,
    ) -> None:
        hidden, shown = in_order(tasks, sort)[:3], in_order(tasks, sort)[3:]
        for task in hidden:
            assert (await owner.request(method, f"/tasks/{task['id']}{path}")).is_success
        assert await walk(owner, path_of(project), sort=sort, limit=2) == shown

    async def test_total_counts_what_the_filters_let_through(
        self, owner: Caller, project: dict[str, Any], tasks: list[dict[str, Any]]
    ) -> None:
        done = [task for task in tasks if task["status"] == "done"]
        query: dict[str, Any] = {"status": "done", "limit": 1}
        first = (await owner.get(path_of(project), **query, total=True)).json()
        assert (first["total"], len(first["items"])) == (len(done), 1)
        query["cursor"] = first["next_cursor"]
        assert (await owner.get(path_of(project), **query, total=True)).json()["total"] == len(done)
        assert (await owner.get(path_of(project), **query)).json()["total"] is None

    @pytest.mark.usefixtures("tasks")
    async def test_last_page_that_is_full_has_no_cursor(self, owner: Caller, project: dict[str, Any]) -> None:
        page = (await owner.get(path_of(project), limit=len(TITLES))).json()
        assert (len(page["items"]), page["next_cursor"]) == (len(TITLES), None)
