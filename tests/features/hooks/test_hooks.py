"""Hooks are the admins' to set up."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.sealing import unseal
from glasswork.core.settings import Settings
from glasswork.core.tokens import Keys
from glasswork.features.seals.service import SealService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_hook, make_project, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

MAPPING: dict[str, Any] = {"title": "/issue/title"}
JSON_FAULTS: list[dict[str, Any]] = [
    {},
    {"mapping": {}},
    {"mapping": {"description": "/d"}},
    {"mapping": {"title": "title"}},
    {"mapping": {"title": ""}},
    {"mapping": {"title": "/~2"}},
    {"mapping": {"title": f"/{'a' * 500}"}},
    {"mapping": MAPPING | {"status": "/s"}},
    {"mapping": MAPPING | {"priority": {"pointer": "/p"}}},
    {"mapping": MAPPING | {"priority": {"pointer": "/p", "values": {"a": "highest"}}}},
    {"mapping": MAPPING, "secret": "whsec_short"},
    {"mapping": MAPPING, "secret": f"whsec_{'!' * 44}"},
]


def of(workspace: dict[str, Any]) -> str:
    return f"/workspaces/{workspace['id']}/hooks"


def at(hook: dict[str, Any]) -> str:
    return f"/hooks/{hook['id']}"


@pytest.fixture
async def hook(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_hook(owner, workspace)


@pytest.fixture
async def json_hook(owner: Caller, workspace: dict[str, Any], project: dict[str, Any]) -> dict[str, Any]:
    return await make_hook(owner, workspace, kind="json", project_id=project["id"], mapping=MAPPING)


async def types(caller: Caller, path: str) -> list[str]:
    return [item["type"] for item in (await caller.get(path, limit=100)).json()["items"]]


class TestRefusals:
    @by_role(viewer=403, member=403, admin=201, owner=201)
    async def test_to_make_one(
        self, callers: Callers, workspace: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        new = {"kind": "github", "name": "H"}
        assert (await caller.post(of(workspace), new)).status_code == status

    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_to_see_change_and_renew_one(
        self, callers: Callers, workspace: dict[str, Any], hook: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        answers = [
            await caller.get(of(workspace)),
            await caller.get(at(hook)),
            await caller.patch(at(hook), {"name": "Another"}),
            await caller.post(f"{at(hook)}/secret"),
        ]
        assert [answer.status_code for answer in answers] == [status] * 4

    @by_role(viewer=403, member=403, admin=204, owner=204)
    async def test_to_delete_one(
        self, callers: Callers, workspace: dict[str, Any], hook: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(at(hook))).status_code == status

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "gitlab"},
            {"kind": "github", "mapping": MAPPING},
            {"kind": "github", "secret": "fifteen letters"},
            {"kind": "github", "secret": "a" * 101},
            {"kind": "json", "mapping": MAPPING},
            {"kind": "json", "project_id": None, "mapping": MAPPING},
            *({"kind": "json", "project_id": "{project}", **fields} for fields in JSON_FAULTS),
        ],
    )
    async def test_what_makes_no_hook(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], fields: dict[str, Any]
    ) -> None:
        if fields.get("project_id"):
            fields = fields | {"project_id": project["id"]}
        answer = await owner.post(of(workspace), {"name": "H"} | fields)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
        assert str(fields.get("secret", "no secret")) not in answer.text
        assert (await owner.get(of(workspace))).json()["items"] == []

    async def test_a_project_of_another_workspace_or_a_deleted_one(
        self, owner: Caller, workspace: dict[str, Any], hook: dict[str, Any], json_hook: dict[str, Any]
    ) -> None:
        elsewhere = await make_project(owner, await make_workspace(owner))
        deleted = await make_project(owner, workspace)
        await owner.delete(f"/projects/{deleted['id']}")
        for project in (elsewhere, deleted):
            body = {"kind": "github", "name": "H", "project_id": project["id"]}
            answers = [
                await owner.post(of(workspace), body),
                *[await owner.patch(at(each), {"project_id": project["id"]}) for each in (hook, json_hook)],
            ]
            for answer in answers:
                (fault,) = answer.json()["error"]["details"]["errors"]
                assert (fault["loc"], fault["code"]) == (["body", "project_id"], "unknown_project")

    async def test_what_a_kind_does_not_have(
        self, owner: Caller, hook: dict[str, Any], json_hook: dict[str, Any]
    ) -> None:
        for each, fields, code in (
            (hook, {"mapping": MAPPING}, "not_of_kind"),
            (json_hook, {"project_id": None}, "needed_by_kind"),
        ):
            answer = await owner.patch(at(each), fields)
            assert answer.status_code == 422
            assert answer.json()["error"]["details"]["errors"][0]["code"] == code
        refused: tuple[Any, ...] = (
            (hook, {"kind": "json"}),
            (json_hook, {"mapping": None}),
            (hook, {"secret": "a" * 20}),
        )
        for each, changes in refused:
            assert (await owner.patch(at(each), changes)).status_code == 422

    async def test_a_stale_etag(self, owner: Caller, hook: dict[str, Any]) -> None:
        renamed = [
            (await owner.patch(at(hook), {"name": "B"}, if_match=tag)).status_code for tag in ('"2"', '"1"')
        ]
        deleted = [(await owner.delete(at(hook), if_match=tag)).status_code for tag in ('"1"', '"2"', "*")]
        assert (renamed, deleted) == ([412, 200], [412, 204, 404])
        assert (await owner.get(at(hook))).status_code == 404
        listed = (await owner.get(f"/workspaces/{hook['workspace_id']}/hooks")).json()["items"]
        assert hook["id"] not in [each["id"] for each in listed]


async def test_a_hook_is_shown_with_its_address(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], settings: Settings
) -> None:
    mapping = MAPPING | {"priority": {"pointer": "/level", "values": {"bad": "high"}}}
    new = {"kind": "json", "name": "Alerts", "project_id": project["id"], "mapping": mapping}
    answer = await owner.post(of(workspace), new)
    issued = answer.json()
    assert issued.pop("secret").startswith("whsec_")
    assert answer.headers["Cache-Control"] == "no-store"
    assert issued == new | {
        "id": issued["id"],
        "workspace_id": workspace["id"],
        "mapping": mapping | {"description": None, "due_at": None},
        "previous_until": None,
        "url": f"{settings.public_url}/api/v1/hooks/{issued['id']}",
        "version": 1,
        "created_by": str(owner.id),
        "created_at": issued["created_at"],
        "updated_at": issued["created_at"],
    }
    assert answer.headers["Location"] == f"/api/v1{at(issued)}"
    assert (await owner.get(at(issued))).json() == issued
    assert (await owner.get(of(workspace))).json()["items"] == [issued]


async def test_a_change_raises_the_version_and_none_does_not(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], hook: dict[str, Any]
) -> None:
    shown = {name: value for name, value in hook.items() if name != "secret"}
    changed = (await owner.patch(at(hook), {"name": "B", "project_id": project["id"]})).json()
    assert changed == shown | {
        "name": "B",
        "project_id": project["id"],
        "version": 2,
        "updated_at": changed["updated_at"],
    }
    assert (await owner.patch(at(hook), {"name": "B"})).json() == changed
    assert (await owner.patch(at(hook), {"project_id": None})).json()["project_id"] is None
    told = await types(owner, f"/workspaces/{workspace['id']}/changes")
    assert told.count("hook.updated") == 2


async def test_a_new_secret_is_another_and_says_how_long_the_old_one_is_taken(
    owner: Caller, hook: dict[str, Any], workspace: dict[str, Any]
) -> None:
    answer = await owner.post(f"{at(hook)}/secret")
    renewed = answer.json()
    assert renewed["secret"] != hook["secret"]
    assert renewed["version"] == 2
    assert renewed["previous_until"] > renewed["updated_at"]
    assert answer.headers["ETag"] == '"2"'
    assert answer.headers["Cache-Control"] == "no-store"
    shown = (await owner.get(at(hook))).json()
    assert shown == {name: value for name, value in renewed.items() if name != "secret"}
    (change,) = [
        item
        for item in (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
        if item["type"] == "hook.updated"
    ]
    assert change["after"] == {name: renewed[name] for name in change["after"]}
    assert {"previous_until", "version"} <= change["after"].keys()


async def test_only_admins_hear_of_hooks(
    owner: Caller, callers: Callers, workspace: dict[str, Any], hook: dict[str, Any]
) -> None:
    admin, member = [await callers.member(workspace["id"], role) for role in (Role.ADMIN, Role.MEMBER)]
    await owner.patch(at(hook), {"name": "Another"})
    await owner.delete(at(hook))
    path = f"/workspaces/{workspace['id']}"
    for feed in ("changes", "activity"):
        told = [each for each in await types(admin, f"{path}/{feed}") if each.startswith("hook.")]
        assert sorted(told) == ["hook.created", "hook.deleted", "hook.updated"]
        assert "hook" not in str(await types(member, f"{path}/{feed}"))
        assert "workspace.created" in await types(member, f"{path}/{feed}")


@pytest.mark.alone
async def test_secrets_are_sealed_and_nowhere_else(
    owner: Caller, app: FastAPI, database: Database, hook: dict[str, Any], workspace: dict[str, Any]
) -> None:
    async with database.reading() as session:
        sealed: str = (await session.scalars(text("SELECT secret FROM hooks"))).one()
        rows = (await session.scalars(text("SELECT to_jsonb(e)::text FROM workspace_events AS e"))).all()
    assert unseal(app.state.keys, f"hook:{hook['id']}", sealed.encode()) == hook["secret"].encode()
    assert hook["secret"] not in sealed
    assert not any(hook["secret"] in row or sealed in row for row in rows)
    shown = [
        await owner.get(path) for path in (at(hook), of(workspace), f"/workspaces/{workspace['id']}/audit")
    ]
    assert not any(hook["secret"] in answer.text for answer in shown)


@pytest.mark.alone
async def test_another_jwt_secret_seals_them_anew(
    owner: Caller, app: FastAPI, database: Database, hook: dict[str, Any], json_hook: dict[str, Any]
) -> None:
    await owner.post(f"{at(hook)}/secret")
    every = text("SELECT id, secret, previous_secret, version, updated_at FROM hooks ORDER BY id")
    async with database.reading() as session:
        before = (await session.execute(every)).all()
    new = Keys.derive("another secret", "the secret that the tests do not know")
    await SealService(database, new).renew()
    async with database.reading() as session:
        assert (await session.execute(every)).all() == before  # nothing that can be opened
    present = app.state.settings.jwt_secret.get_secret_value()
    await SealService(database, Keys.derive("another secret", present)).renew()
    async with database.reading() as session:
        after = (await session.execute(every)).all()
    assert len(after) == 2
    for was, is_ in zip(before, after, strict=True):
        assert (was.version, was.updated_at) == (is_.version, is_.updated_at)
        for name in ("secret", "previous_secret"):
            old, sealed = getattr(was, name), getattr(is_, name)
            if old is None:
                assert sealed is None
                continue
            purpose = f"hook:{is_.id}"
            opened = unseal(Keys.derive("another secret"), purpose, sealed.encode())
            assert opened == unseal(app.state.keys, purpose, old.encode())
    del json_hook
