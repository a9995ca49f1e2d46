from typing import Any

import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_status, make_task

from .test_statuses import statuses_of

pytestmark = pytest.mark.anyio


async def restrict(owner: Caller, project: dict[str, Any], key: str, next_keys: list[str] | None) -> None:
    status = (await statuses_of(owner, project))[key]
    response = await owner.patch(f"/statuses/{status['id']}", {"next": next_keys})
    assert response.status_code == 200, response.text


class TestUpdate:
    async def test_refuses_what_may_not_follow(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await restrict(owner, project, "todo", ["in_progress"])
        response = await owner.patch(f"/tasks/{task['id']}", {"title": "New", "status": "done"})
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"] == [
            {
                "loc": ["body", "status"],
                "code": "transition_not_allowed",
                "message": "must be one of: in_progress",
            }
        ]
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task
        for status in ("in_progress", "done"):
            assert (await owner.patch(f"/tasks/{task['id']}", {"status": status})).status_code == 200

    async def test_names_what_is_unknown_first(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await restrict(owner, project, "todo", ["in_progress"])
        response = await owner.patch(f"/tasks/{task['id']}", {"status": "nowhere"})
        error = response.json()["error"]["details"]["errors"][0]
        assert error["code"] == "unknown_status"
        assert error["message"] == "must be one of: todo, in_progress, done"

    async def test_nothing_may_follow_an_end(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await restrict(owner, project, "todo", [])
        response = await owner.patch(f"/tasks/{task['id']}", {"status": "done"})
        assert "nothing may follow" in response.json()["error"]["details"]["errors"][0]["message"]
        same = await owner.patch(f"/tasks/{task['id']}", {"status": "todo", "title": "New"})
        assert (same.status_code, same.json()["title"]) == (200, "New")

    async def test_anything_may_follow_again(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await restrict(owner, project, "todo", [])
        await restrict(owner, project, "todo", None)
        assert (await owner.patch(f"/tasks/{task['id']}", {"status": "done"})).status_code == 200

    async def test_a_task_may_start_anywhere(self, owner: Caller, project: dict[str, Any]) -> None:
        await restrict(owner, project, "todo", [])
        assert (await make_task(owner, project, status="done"))["completed_at"] is not None


class TestCompletion:
    async def test_refuses_where_no_done_one_may_follow(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await restrict(owner, project, "todo", ["in_progress"])
        response = await owner.put(f"/tasks/{task['id']}/completion")
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "TRANSITION_NOT_ALLOWED"
        assert response.json()["error"]["details"] == {"allowed": ["in_progress"]}
        await owner.patch(f"/tasks/{task['id']}", {"status": "in_progress"})
        assert (await owner.put(f"/tasks/{task['id']}/completion")).json()["status"] == "done"

    async def test_refuses_where_none_to_do_may_follow(self, owner: Caller, project: dict[str, Any]) -> None:
        task = await make_task(owner, project, status="done")
        await restrict(owner, project, "done", ["in_progress"])
        response = await owner.delete(f"/tasks/{task['id']}/completion")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "TRANSITION_NOT_ALLOWED")
        assert (await owner.put(f"/tasks/{task['id']}/completion")).json() == task
        await restrict(owner, project, "done", ["todo"])
        assert (await owner.delete(f"/tasks/{task['id']}/completion")).json()["status"] == "todo"

    async def test_takes_the_first_that_may_follow(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        for position, key in ((1, "declined"), (2, "shipped")):
            await make_status(owner, project, key=key, category="done", position=position)
        await restrict(owner, project, "todo", ["done", "shipped"])
        assert (await owner.put(f"/tasks/{task['id']}/completion")).json()["status"] == "shipped"

    async def test_from_done_to_done_keeps_the_time(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await make_status(owner, project, key="shipped", category="done")
        done = (await owner.put(f"/tasks/{task['id']}/completion")).json()
        shipped = (await owner.patch(f"/tasks/{task['id']}", {"status": "shipped"})).json()
        assert (shipped["status"], shipped["completed_at"]) == ("shipped", done["completed_at"])
        reopened = (await owner.patch(f"/tasks/{task['id']}", {"status": "in_progress"})).json()
        assert reopened["completed_at"] is None
