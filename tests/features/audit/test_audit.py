from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.accounts.models import SystemRole
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_task, make_workspace
from tests.features.accounts.sign_in import error_of, register
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


async def audit(caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    """All of it, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await caller.get(path, **query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def of(workspace: dict[str, Any]) -> str:
    return f"/workspaces/{workspace['id']}/audit"


@pytest.fixture
async def owner(callers: Callers) -> Caller:
    return await callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


class TestWhoMayLook:
    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_at_a_workspace(
        self, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(of(workspace))).status_code == status

    async def test_at_the_installation(self, callers: Callers) -> None:
        for role, status in ((SystemRole.USER, 403), (SystemRole.ADMIN, 200)):
            assert (await (await callers.user(role)).get("/audit")).status_code == status

    async def test_an_admin_of_the_installation_sees_no_workspace(
        self, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        admin = await callers.user(SystemRole.ADMIN)
        assert (await admin.get(of(workspace))).status_code == 404

    async def test_nobody_whose_session_has_ended(self, owner: Caller, workspace: dict[str, Any]) -> None:
        await owner.post("/auth/logout")
        for path in (of(workspace), "/audit"):
            assert error_of(await owner.get(path))["code"] == "SESSION_ENDED"

    async def test_scripts_with_the_scope_of_each(self, callers: Callers) -> None:
        admin = await callers.user(SystemRole.ADMIN)
        workspace = await make_workspace(admin)
        paths = (of(workspace), "/audit")
        for scope, statuses in (("audit:read", [200, 403]), ("admin:read", [403, 200])):
            script = replace(admin, token=(await make_api_token(admin, scope))["token"])
            assert [(await script.get(path)).status_code for path in paths] == statuses
        elsewhere = (await make_workspace(admin))["id"]
        kept = await make_api_token(admin, "audit:read", workspace_id=elsewhere)
        assert (await replace(admin, token=kept["token"]).get(of(workspace))).status_code == 404


class TestItem:
    async def test_tells_who_what_when_and_from_where(self, owner: Caller, workspace: dict[str, Any]) -> None:
        await owner.patch(f"/workspaces/{workspace['id']}", {"name": "New"}, x_request_id="the-one-to-find")
        item = (await audit(owner, of(workspace)))[0]
        name = (await owner.get("/users/me")).json()["name"]
        assert item["type"] == "workspace.updated"
        assert item["seq"] == 3
        assert item["actor"] == {"id": str(owner.id), "name": name}
        assert item["via"] == {"kind": "session", "id": str(owner.actor.session_id), "name": None}
        assert item["request_id"] == "the-one-to-find"
        assert item["subject"] == {"type": "workspace", "id": workspace["id"]}
        assert (item["before"]["name"], item["after"]["name"]) == (workspace["name"], "New")

    async def test_names_the_api_token(self, owner: Caller, workspace: dict[str, Any]) -> None:
        made = await make_api_token(owner, "workspaces:write", name="nightly")
        script = replace(owner, token=made["token"])
        assert (await script.patch(f"/workspaces/{workspace['id']}", {"name": "New"})).status_code == 200
        item = (await audit(owner, of(workspace)))[0]
        assert item["actor"]["id"] == str(owner.id)
        assert item["via"] == {"kind": "api_token", "id": made["id"], "name": "nightly"}

    @pytest.mark.alone
    async def test_what_nobody_did_who_had_signed_in(self, callers: Callers) -> None:
        admin = await callers.user(SystemRole.ADMIN)
        assert (await register(admin.client)).status_code == 201
        (item,) = await audit(admin, "/audit")
        assert (item["type"], item["actor"]) == ("user.created", None)
        assert item["via"] == {"kind": "system", "id": None, "name": None}
        assert item["after"]["email"] == "Ada@example.com"
        assert "seq" not in item

    async def test_an_account_that_is_gone_has_no_name(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        admin = await callers.member(workspace["id"], Role.ADMIN)
        await admin.patch(f"/workspaces/{workspace['id']}", {"name": "New"})
        before = (await audit(owner, of(workspace)))[0]
        assert (await admin.request("DELETE", "/users/me", json={"password": PASSWORD})).status_code == 204
        gone, same = (await audit(owner, of(workspace)))[:2]
        assert gone["type"] == "member.deleted"
        assert same == before | {"actor": {"id": str(admin.id), "name": "Deleted user"}}


class TestFilters:
    @pytest.fixture
    async def task(self, callers: Callers, owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
        member = await callers.member(workspace["id"], Role.MEMBER)
        task = await make_task(owner, await make_project(owner, workspace))
        await member.patch(f"/tasks/{task['id']}", {"title": "Another"})
        return task

    async def test_newest_come_first_and_pages_hold_each_once(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        del task
        assert [item["seq"] for item in await audit(owner, of(workspace), limit=2)] == [5, 4, 3, 2, 1]
        oldest_first = await audit(owner, of(workspace), limit=2, sort="at")
        assert [item["seq"] for item in oldest_first] == [1, 2, 3, 4, 5]
        counted = (await owner.get(of(workspace), total="true", limit=1)).json()
        assert counted["total"] == 5

    async def test_each_narrows_by_its_own(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        whole = await audit(owner, of(workspace))
        member_id = whole[0]["actor"]["id"]
        for query, seqs in (
            ({"actor_id": member_id}, [5]),
            ({"actor_id": "me"}, [4, 3, 2, 1]),
            ({"actor_id": [member_id, "me"]}, [5, 4, 3, 2, 1]),
            ({"actor_id": "null"}, []),
            ({"type": "project.created"}, [3]),
            ({"type": ["project.created", "task.updated"]}, [5, 3]),
            ({"type": "nothing.like_it"}, []),
            ({"subject_id": task["id"]}, [5, 4]),
            ({"subject_id": str(uuid7())}, []),
            ({"subject_id": task["id"], "actor_id": "me"}, [4]),
        ):
            found = await audit(owner, of(workspace), **query, limit=1)
            assert [item["seq"] for item in found] == seqs, query

    async def test_times_begin_within_and_end_before(self, committing_callers: Callers) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        for name in ("B", "C"):
            await owner.patch(f"/workspaces/{workspace['id']}", {"name": name})
        whole = await audit(owner, of(workspace))
        moment = whole[1]["at"]
        after = await audit(owner, of(workspace), at_after=moment)
        before = await audit(owner, of(workspace), at_before=moment)
        assert [item["seq"] for item in after] == [4, 3]
        assert [item["seq"] for item in before] == [2, 1]
        later = datetime.fromisoformat(moment) + timedelta(microseconds=1)
        assert [item["seq"] for item in await audit(owner, of(workspace), at_after=later.isoformat())] == [4]

    @pytest.mark.parametrize(
        "query",
        [
            {"actor_id": "nobody"},
            {"type": "task"},
            {"type": "Task.updated"},
            {"subject_id": "me"},
            {"at_after": "yesterday"},
            {"sort": "seq"},
            {"cursor": "nonsense"},
            {"who": "me"},
        ],
        ids=str,
    )
    async def test_bad_ones_are_refused(
        self, owner: Caller, workspace: dict[str, Any], query: dict[str, Any]
    ) -> None:
        assert (await owner.get(of(workspace), **query)).status_code == 422

    @pytest.mark.alone
    async def test_of_the_installation(self, callers: Callers) -> None:
        admin, user = await callers.user(SystemRole.ADMIN), await callers.user()
        await user.patch("/users/me", {"name": "New"})
        await admin.patch(f"/users/{user.id}", {"is_active": False})
        for query, actors in (
            ({}, [admin, user]),
            ({"actor_id": "me"}, [admin]),
            ({"subject_id": str(user.id)}, [admin, user]),
            ({"type": "user.created"}, []),
        ):
            found = await audit(admin, "/audit", **query, limit=1)
            assert [item["actor"]["id"] for item in found] == [str(actor.id) for actor in actors]

    async def test_one_workspace_shows_nothing_of_another(
        self, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        other = await make_workspace(owner)
        subjects = {item["subject"]["id"] for item in await audit(owner, of(workspace))}
        assert subjects == {workspace["id"], str(owner.id)}
        assert await audit(owner, of(workspace), subject_id=other["id"]) == []
