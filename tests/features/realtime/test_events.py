"""What a stream tells, from where, and to whom."""

from typing import Any

import pytest

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.streams import following

pytestmark = pytest.mark.anyio


async def ask(caller: Caller, workspace_id: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await caller.request("GET", f"/workspaces/{workspace_id}/events", headers=headers)
    return answer.status_code, answer.json()["error"]


async def feed(caller: Caller, workspace: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
    return items


async def test_it_tells_each_change_as_the_feed_does(committing_callers: Callers, url: str) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    async with following(url, owner.token, workspace["id"]) as events:
        assert events.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.response.headers["cache-control"] == "no-store"
        assert events.response.headers["x-accel-buffering"] == "no"
        ready = await events.next()
        assert (ready.type, ready.id, ready.data) == ("ready", 2, {"seq": 2})
        await make_task(owner, await make_project(owner, workspace), title="One\r\nline\u2028")
        told = await events.take(2)
    assert [event.type for event in told] == ["project.created", "task.created"]
    assert [event.id for event in told] == [3, 4]
    assert [event.data for event in told] == (await feed(owner, workspace))[2:]
