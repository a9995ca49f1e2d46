"""What I am told, what I have read of it, and how I want to be told."""

from typing import Any

import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.features.notifications.policy import USUAL
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_task, make_workspace
from tests.factories.work import work_off

pytestmark = pytest.mark.anyio

Notification = dict[str, Any]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def fault(answer: Any) -> tuple[int, list[Any], str]:
    error = answer.json()["error"]["details"]["errors"][0]
    return answer.status_code, error["loc"], error["code"]


async def listed(caller: Caller, **query: Any) -> list[Notification]:
    items: list[Notification] = (await caller.get("/notifications", **query)).json()["items"]
    return items


@pytest.fixture
async def bob(callers: Callers, workspace: dict[str, Any]) -> Caller:
    return await callers.member(workspace["id"])


@pytest.fixture
async def notifications(
    app: FastAPI, database: Database, owner: Caller, bob: Caller, project: dict[str, Any]
) -> list[Notification]:
    """Three that Bob has, newest first: he was assigned a task, twice, and a task that he watches changed."""
    watched = await make_task(owner, project)
    await owner.put(f"/tasks/{watched['id']}/watchers/{bob.id}")
    await owner.patch(f"/tasks/{watched['id']}", {"title": "Another"})
    for _ in range(2):
        await make_task(owner, project, assignee_id=str(bob.id))
    await work_off(app, database)
    return await listed(bob)


class TestRefusals:
    @pytest.mark.parametrize(("method", "part"), [("GET", ""), ("PUT", "/read"), ("DELETE", "/read")])
    async def test_what_others_are_told_is_nobodys_business(
        self, owner: Caller, bob: Caller, notifications: list[Notification], method: str, part: str
    ) -> None:
        path = f"/notifications/{notifications[0]['id']}{part}"
        assert code(await owner.request(method, path)) == (404, "NOTIFICATION_NOT_FOUND")
        assert (await bob.request(method, path)).status_code == 200

    @pytest.mark.parametrize("path", ["/notifications", "/notifications/counts"])
    async def test_after_the_end_of_the_session_not_even_an_invitation_is_shown(
        self,
        app: FastAPI,
        database: Database,
        callers: Callers,
        owner: Caller,
        workspace: dict[str, Any],
        path: str,
    ) -> None:
        carol = await callers.user()
        await owner.post(
            f"/workspaces/{workspace['id']}/invitations", {"email": carol.email, "role": "viewer"}
        )
        await work_off(app, database)
        assert [each["kind"] for each in await listed(carol)] == ["invited"]
        await carol.post("/auth/logout")
        assert code(await carol.get(path)) == (401, "SESSION_ENDED")

    async def test_an_invitation_to_what_is_gone_is_not_shown(
        self, app: FastAPI, database: Database, callers: Callers, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        carol = await callers.user()
        for place in (workspace, gone := await make_workspace(owner)):
            body = {"email": carol.email, "role": "viewer"}
            assert (await owner.post(f"/workspaces/{place['id']}/invitations", body)).status_code == 201
        await work_off(app, database)
        assert len(await listed(carol)) == 2
        assert (await owner.delete(f"/workspaces/{gone['id']}")).status_code == 204
        assert [each["workspace_id"] for each in await listed(carol)] == [workspace["id"]]

    async def test_a_token_that_is_kept_elsewhere_sees_nothing(
        self, bob: Caller, notifications: list[Notification]
    ) -> None:
        elsewhere = await make_workspace(bob)
        for workspace_id, seen in ((elsewhere["id"], 0), (notifications[0]["workspace_id"], 3)):
            scopes = ("profile:read", "profile:write")
            token = (await make_api_token(bob, *scopes, workspace_id=workspace_id))["token"]
            headers = {"Authorization": f"Bearer {token}"}
            page = await bob.client.get("/api/v1/notifications", headers=headers)
            counts = await bob.client.get("/api/v1/notifications/counts", headers=headers)
            assert (len(page.json()["items"]), counts.json()["unread"]) == (seen, seen)

    async def test_a_token_reads_off_only_what_it_sees(
        self, bob: Caller, notifications: list[Notification]
    ) -> None:
        assert len(notifications) == 3
        elsewhere = await make_workspace(bob)
        token = (await make_api_token(bob, "profile:write", workspace_id=elsewhere["id"]))["token"]
        path = "/api/v1/notifications/read"
        answer = await bob.client.put(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 204
        assert (await bob.get("/notifications/counts")).json()["unread"] == 3


class TestReading:
    async def test_shows_what_it_is_about(
        self, owner: Caller, bob: Caller, workspace: dict[str, Any], notifications: list[Notification]
    ) -> None:
        newest = notifications[0]
        assert (newest["kind"], newest["actor_id"]) == ("assigned", str(owner.id))
        assert newest["task"].keys() == {"id", "key", "title"}
        assert newest["workspace_id"] == workspace["id"]
        assert (await bob.get(f"/notifications/{newest['id']}")).json() == newest

    async def test_pages_and_filters(self, bob: Caller, notifications: list[Notification]) -> None:
        first = (await bob.get("/notifications", limit=2, total=True)).json()
        rest = (await bob.get("/notifications", limit=2, cursor=first["next_cursor"])).json()
        assert [*first["items"], *rest["items"]] == notifications
        assert first["total"] == 3
        assert await listed(bob, kind=["watched", "mentioned"]) == notifications[2:]
        assert await listed(bob, workspace_id=str(uuid7())) == []

    async def test_marks_are_kept(self, bob: Caller, notifications: list[Notification]) -> None:
        path = f"/notifications/{notifications[0]['id']}/read"
        read = (await bob.put(path)).json()
        assert read["read_at"]
        assert (await bob.put(path)).json() == read
        assert await listed(bob, unread=True) == notifications[1:]
        counts = (await bob.get("/notifications/counts")).json()
        assert counts == {"unread": 2, "by_kind": {"assigned": 1, "watched": 1}}
        assert (await bob.delete(path)).json() == notifications[0]
        assert await listed(bob, unread=True) == notifications

    async def test_all_at_once(self, owner: Caller, bob: Caller, notifications: list[Notification]) -> None:
        assert (await owner.put("/notifications/read")).status_code == 204
        assert len(await listed(bob, unread=True)) == len(notifications)
        assert (await bob.put("/notifications/read")).status_code == 204
        assert await listed(bob, unread=True) == []
        assert len(await listed(bob)) == 3


class TestPreferences:
    async def put(self, caller: Caller, *preferences: dict[str, Any], zone: str = "Europe/Berlin") -> Any:
        body = {"time_zone": zone, "preferences": list(preferences)}
        return await caller.put("/notifications/preferences", body)

    async def test_who_has_said_nothing_is_told_as_usual(self, owner: Caller) -> None:
        shown = (await owner.get("/notifications/preferences")).json()
        assert (shown["time_zone"], shown["preferences"]) == ("UTC", [])
        assert {each["kind"]: each["mail"] for each in shown["usual"]} == {
            kind.value: way.mail.value for kind, way in USUAL.items()
        }

    async def test_a_project_must_be_one_that_may_be_seen(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        wish = {"kind": "watched", "project_id": project["id"], "in_app": True, "mail": "none"}
        stranger = await callers.user()
        answer = await self.put(stranger, wish)
        assert fault(answer) == (422, ["body", "preferences", 0, "project_id"], "unknown_project")
        assert (await stranger.get("/notifications/preferences")).json()["preferences"] == []
        assert (await self.put(owner, wish)).status_code == 200

    @pytest.mark.parametrize("has_project", [True, False])
    async def test_nothing_is_said_twice(
        self, owner: Caller, project: dict[str, Any], has_project: bool
    ) -> None:
        where = {"project_id": project["id"]} if has_project else {}
        wish = {"kind": "watched", "in_app": True, "mail": "none", **where}
        answer = await self.put(owner, wish, wish | {"mail": "daily"})
        assert fault(answer) == (422, ["body", "preferences", 1], "value_error")

    async def test_a_zone_must_be_one(self, owner: Caller) -> None:
        answer = await self.put(owner, zone="Berlin")
        assert fault(answer) == (422, ["body", "time_zone"], "unknown_time_zone")

    async def test_what_is_said_replaces_all_before(self, owner: Caller, project: dict[str, Any]) -> None:
        everywhere = {"kind": "assigned", "project_id": None, "in_app": True, "mail": "none"}
        there = {"kind": "assigned", "project_id": project["id"], "in_app": False, "mail": "daily"}
        answer = await self.put(owner, everywhere, there)
        assert answer.json()["time_zone"] == "Europe/Berlin"
        assert sorted(answer.json()["preferences"], key=str) == sorted([everywhere, there], key=str)
        assert (await owner.get("/notifications/preferences")).json() == answer.json()
        assert (await self.put(owner, there)).json()["preferences"] == [there]

    async def test_they_are_ones_own(self, owner: Caller, callers: Callers) -> None:
        await self.put(owner, {"kind": "watched", "in_app": False, "mail": "none"})
        other = await callers.user()
        await make_project(other, await make_workspace(other))
        assert (await other.get("/notifications/preferences")).json()["preferences"] == []
