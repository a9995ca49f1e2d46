"""A hook may what whoever made it may, at the moment when a message comes."""

from typing import Any

import pytest
from sqlalchemy import text

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_hook, make_project

from .conftest import MAPPING
from .senders import Github, Program, Sender, code_of, taken

pytestmark = pytest.mark.anyio

REFUSED = (403, "HOOK_WITHOUT_RIGHTS")


@pytest.fixture
async def admin(callers: Callers, workspace: dict[str, Any]) -> Caller:
    """Who has made the hooks."""
    return await callers.member(workspace["id"], Role.ADMIN)


@pytest.fixture(params=["github", "github_of_project", "json"])
async def sender(
    request: pytest.FixtureRequest, admin: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> Sender:
    of_project = {"project_id": project["id"]}
    if request.param == "json":
        hook = await make_hook(admin, workspace, kind="json", mapping=MAPPING, **of_project)
        return Program(admin.client, hook)
    more = of_project if request.param == "github_of_project" else {}
    return Github(admin.client, await make_hook(admin, workspace, **more))


async def send(sender: Sender, task: dict[str, Any]) -> Any:
    if isinstance(sender, Github):
        return await sender.push(f"Fixes {task['key']}")
    assert isinstance(sender, Program)
    return await sender.tell({"issue": {"title": "T"}})


async def done(caller: Caller, workspace: dict[str, Any]) -> list[Any]:
    path = f"/workspaces/{workspace['id']}/changes"
    items = (await caller.get(path, limit=100)).json()["items"]
    return [item for item in items if item["type"].startswith(("task.", "link."))]


@pytest.mark.parametrize("role", ["viewer", None])
async def test_a_member_who_loses_them_takes_them_from_the_hook(
    owner: Caller,
    admin: Caller,
    workspace: dict[str, Any],
    task: dict[str, Any],
    sender: Sender,
    role: str | None,
) -> None:
    path, before = f"/workspaces/{workspace['id']}/members/{admin.id}", await done(owner, workspace)
    answer = await (owner.patch(path, {"role": role}) if role else owner.delete(path))
    assert answer.is_success
    assert code_of(await send(sender, task)) == REFUSED
    assert await done(owner, workspace) == before
    if role:
        await owner.patch(path, {"role": "member"})
        assert (await send(sender, task)).status_code == 200
        assert (await done(owner, workspace))[-1]["actor_id"] == str(admin.id)


@pytest.mark.parametrize("column", ["is_active", "deleted_at"])
async def test_so_does_an_account_that_is_shut_off(
    owner: Caller,
    admin: Caller,
    callers: Callers,
    workspace: dict[str, Any],
    task: dict[str, Any],
    sender: Sender,
    column: str,
) -> None:
    before = await done(owner, workspace)
    if column == "is_active":
        off = text("UPDATE users SET is_active = false WHERE id = :id")
        async with callers.database.system_transaction() as session:
            await session.execute(off, {"id": admin.id})
    else:
        deleted = await admin.request("DELETE", "/users/me", json={"password": "tremendous otter 77"})
        assert deleted.status_code == 204, deleted.text
    assert code_of(await send(sender, task)) == REFUSED
    assert await done(owner, workspace) == before


async def test_sessions_of_theirs_are_not_what_it_stands_on(
    admin: Caller, task: dict[str, Any], sender: Sender
) -> None:
    await admin.post("/auth/logout")
    assert (await send(sender, task)).status_code == 200


async def test_without_its_project_a_hook_of_one_does_nothing(
    owner: Caller, project: dict[str, Any], task: dict[str, Any], sender: Sender
) -> None:
    await owner.delete(f"/projects/{project['id']}")
    answer = await send(sender, task)
    if sender.hook["project_id"]:
        assert code_of(answer) == REFUSED
    else:
        assert taken(answer)


async def test_an_api_token_may_be_gone_that_made_it(
    owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
) -> None:
    body = {"name": "script", "scopes": ["webhooks:write"], "workspace_id": workspace["id"]}
    token = (await owner.post("/auth/api-tokens", body)).json()
    script = Caller(owner.client, owner.actor, owner.email, owner.username, token["token"])
    github = Github(owner.client, await make_hook(script, workspace))
    await owner.delete(f"/auth/api-tokens/{token['id']}")
    assert taken(await github.push(f"Fixes {task['key']}"), completed=[task["key"]], linked=[task["key"]])


async def test_it_reaches_into_no_other_workspace_of_theirs(
    admin: Caller, callers: Callers, github: Github
) -> None:
    other = await callers.user()
    elsewhere = (await other.post("/workspaces", {"name": "W", "slug": "elsewhere"})).json()
    await callers.join(admin, elsewhere["id"], Role.OWNER)
    project = await make_project(admin, elsewhere, key="DEV")
    answer = await admin.patch(f"/hooks/{github.hook['id']}", {"project_id": project["id"]})
    assert (answer.status_code, answer.json()["error"]["details"]["errors"][0]["code"]) == (
        422,
        "unknown_project",
    )
