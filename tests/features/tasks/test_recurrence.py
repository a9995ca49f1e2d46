from asyncio import gather
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from httpx2 import Response
from sqlalchemy import text

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio

WEEKLY = {"rule": "FREQ=WEEKLY", "time_zone": "Europe/Berlin"}
DUE = "2199-03-25T08:00:00Z"
"""A Monday at nine in Berlin; a week later clocks there have been put forward."""
A_WEEK_LATER = "2199-04-01T07:00:00Z"


async def tasks_of(caller: Caller, project: dict[str, Any]) -> list[dict[str, Any]]:
    """In the order in which they were made."""
    answer = await caller.get(f"/projects/{project['id']}/tasks", sort="number")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def refused_field(response: Response) -> list[str]:
    assert response.status_code == 422
    (error,) = response.json()["error"]["details"]["errors"]
    assert error["code"] == "invalid_recurrence"
    loc: list[str] = error["loc"]
    return loc


class TestRefusals:
    @pytest.mark.parametrize(
        ("recurrence", "field"),
        [
            (WEEKLY | {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, ["rule"]),
            (WEEKLY | {"rule": "FREQ=SECONDLY"}, ["rule"]),
            (WEEKLY | {"rule": "FREQ=DAILY\nRRULE:FREQ=DAILY"}, ["rule"]),
            (WEEKLY | {"rule": "FREQ=DAILY;" * 30}, ["rule"]),
            (WEEKLY | {"rule": "\0"}, ["rule"]),
            (WEEKLY | {"time_zone": "Europe/Atlantis"}, ["time_zone"]),
        ],
    )
    async def test_a_rule_that_is_none(
        self, owner: Caller, project: dict[str, Any], recurrence: dict[str, str], field: list[str]
    ) -> None:
        new = {"title": "Often", "due_at": DUE, "recurrence": recurrence}
        response = await owner.post(f"/projects/{project['id']}/tasks", new)
        assert refused_field(response) == ["body", "recurrence", *field]
        task = await make_task(owner, project, due_at=DUE)
        response = await owner.patch(f"/tasks/{task['id']}", {"recurrence": recurrence})
        assert refused_field(response) == ["body", "recurrence", *field]
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task

    async def test_no_date_to_begin_with(self, owner: Caller, project: dict[str, Any]) -> None:
        new = {"title": "Often", "recurrence": WEEKLY}
        response = await owner.post(f"/projects/{project['id']}/tasks", new)
        assert refused_field(response) == ["body", "recurrence"]
        assert "due_at" in response.json()["error"]["details"]["errors"][0]["message"]
        task = await make_task(owner, project)
        response = await owner.patch(f"/tasks/{task['id']}", {"recurrence": WEEKLY})
        assert refused_field(response) == ["body", "recurrence"]
        response = await owner.patch(f"/tasks/{task['id']}", {"recurrence": WEEKLY, "start_at": DUE})
        assert response.json()["recurrence"] == WEEKLY
        response = await owner.patch(f"/tasks/{task['id']}", {"start_at": None})
        assert refused_field(response) == ["body", "recurrence"]
        response = await owner.patch(f"/tasks/{task['id']}", {"start_at": None, "recurrence": None})
        assert (response.json()["recurrence"], response.json()["start_at"]) == (None, None)


class TestNext:
    async def test_is_a_copy_for_the_next_date(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        member = await callers.member(project["workspace_id"], Role.VIEWER)
        label = await make_label(owner, project)
        task = await make_task(
            owner,
            project,
            description="Again",
            status="in_progress",
            priority="high",
            assignee_id=str(member.id),
            label_ids=[label["id"]],
            due_at=DUE,
            start_at="2199-03-24T08:00:00Z",
            estimate_minutes=5,
            recurrence=WEEKLY,
        )
        async with callers.database.system_transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO watchers (workspace_id, task_id, user_id) VALUES (:workspace, :task, :user)"
                ),
                {"workspace": project["workspace_id"], "task": task["id"], "user": member.id},
            )
        done = (await owner.put(f"/tasks/{task['id']}/completion")).json()
        assert (done["status"], done["recurrence"]) == ("done", None)
        same, following = await tasks_of(owner, project)
        assert same == done
        assert following == task | {
            **{name: following[name] for name in ("id", "key", "position", "created_at", "updated_at")},
            "status": "todo",
            "due_at": A_WEEK_LATER,
            "start_at": "2199-03-31T07:00:00Z",
            "watcher_ids": [str(member.id)],
        }

    async def test_comes_by_a_status_too_and_then_no_more(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        task = await make_task(owner, project, due_at=DUE, recurrence=WEEKLY)
        path = f"/tasks/{task['id']}"
        await owner.patch(path, {"status": "done"})
        assert len(await tasks_of(owner, project)) == 2
        await owner.delete(f"{path}/completion")
        await owner.patch(path, {"status": "done"})
        await owner.delete(f"{path}/completion")
        await owner.put(f"{path}/completion")
        assert len(await tasks_of(owner, project)) == 2

    async def test_has_the_rule_and_its_own_next(self, owner: Caller, project: dict[str, Any]) -> None:
        recurrence = WEEKLY | {"rule": "FREQ=WEEKLY;INTERVAL=2;COUNT=3"}
        await make_task(owner, project, due_at=DUE, recurrence=recurrence)
        for _ in range(4):
            await owner.put(f"/tasks/{(await tasks_of(owner, project))[-1]['id']}/completion")
        assert [(task["due_at"], task["status"]) for task in await tasks_of(owner, project)] == [
            (DUE, "done"),
            ("2199-04-08T07:00:00Z", "done"),
            ("2199-04-22T07:00:00Z", "done"),
        ]

    async def test_keeps_to_the_rule_when_one_date_is_moved(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        task = await make_task(owner, project, due_at=DUE, recurrence=WEEKLY)
        later = {"due_at": "2199-03-27T12:00:00Z", "recurrence": WEEKLY}
        await owner.patch(f"/tasks/{task['id']}", later)
        await owner.put(f"/tasks/{task['id']}/completion")
        assert (await tasks_of(owner, project))[1]["due_at"] == A_WEEK_LATER

    async def test_is_not_for_a_date_that_has_passed(self, owner: Caller, project: dict[str, Any]) -> None:
        zone = ZoneInfo("America/New_York")
        recurrence = {"rule": "FREQ=DAILY", "time_zone": zone.key}
        await make_task(owner, project, start_at="2026-01-05T14:00:00Z", recurrence=recurrence)
        (task,) = await tasks_of(owner, project)
        await owner.put(f"/tasks/{task['id']}/completion")
        following = (await tasks_of(owner, project))[1]
        start = datetime.fromisoformat(following["start_at"])
        now = datetime.now(UTC)
        assert now < start <= now + timedelta(days=1, hours=1)
        assert (start.astimezone(zone).hour, following["due_at"]) == (9, None)

    async def test_leaves_those_who_have_left(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        member = await callers.member(project["workspace_id"])
        task = await make_task(owner, project, due_at=DUE, recurrence=WEEKLY, assignee_id=str(member.id))
        async with callers.database.system_transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO watchers (workspace_id, task_id, user_id) VALUES (:workspace, :task, :user)"
                ),
                {"workspace": project["workspace_id"], "task": task["id"], "user": member.id},
            )
        await owner.delete(f"/workspaces/{project['workspace_id']}/members/{member.id}")
        await owner.put(f"/tasks/{task['id']}/completion")
        following = (await tasks_of(owner, project))[1]
        assert (following["assignee_id"], following["watcher_ids"]) == (None, [])

    async def test_has_its_event_of_the_same_request(self, owner: Caller, project: dict[str, Any]) -> None:
        task = await make_task(owner, project, due_at=DUE, recurrence=WEEKLY)
        await owner.put(f"/tasks/{task['id']}/completion", x_request_id="the-completion")
        changes = (await owner.get(f"/workspaces/{project['workspace_id']}/changes", limit=100)).json()
        *_, updated, created = changes["items"]
        assert (updated["type"], updated["subject"]["id"]) == ("task.updated", task["id"])
        assert (updated["before"]["recurrence"], updated["after"]["recurrence"]) == (WEEKLY, None)
        assert (created["type"], created["after"]["due_at"]) == ("task.created", A_WEEK_LATER)
        assert created["after"]["recurrence"] == WEEKLY
        assert {updated["request_id"], created["request_id"]} == {"the-completion"}


async def test_many_completions_at_once_make_one(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    project = await make_project(owner, await make_workspace(owner))
    task = await make_task(owner, project, due_at=DUE, recurrence=WEEKLY)
    path = f"/tasks/{task['id']}"
    responses = await gather(
        *(owner.put(f"{path}/completion") for _ in range(10)),
        *(owner.patch(path, {"status": "done"}) for _ in range(10)),
    )
    assert {response.status_code for response in responses} == {200}
    assert len(await tasks_of(owner, project)) == 2
