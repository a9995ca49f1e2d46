from base64 import b64decode
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.sealing import BrokenSealError
from glasswork.core.signatures import read_secret
from glasswork.core.tokens import Keys
from glasswork.features.seals.service import SealService
from glasswork.features.webhooks import policy
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_workspace
from tests.factories.webhooks import make_webhook
from tests.features.workspaces.roles import with_role

pytestmark = pytest.mark.anyio

URL = "https://example.com/changes?key=1"
ROLES = [(None, 404), (Role.VIEWER, 403), (Role.MEMBER, 403), (Role.ADMIN, 200), (Role.OWNER, 200)]


@pytest.fixture
async def webhook(owner: Caller, workspace: dict[str, Any]) -> Any:
    return await make_webhook(owner, workspace, URL)


class TestCreate:
    @pytest.mark.parametrize(("role", "status"), [*ROLES[:3], (Role.ADMIN, 201), (Role.OWNER, 201)])
    async def test_is_for_admins(
        self, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        response = await caller.post(f"/workspaces/{workspace['id']}/webhooks", {"url": URL})
        assert response.status_code == status

    @pytest.mark.parametrize(
        "url",
        [
            *("", "example.com", "ftp://example.com/", "https://", "https:///path", "https://example.com:0/"),
            *("https://example.com:99999/", "https://user@example.com/", "https://a:b@example.com/"),
            *("https://example.com/#part", "https://example.com/a b", "https://exämple.com/", "http://[::1"),
            f"https://example.com/{'x' * 2000}",
        ],
    )
    async def test_refuses_what_cannot_be_called(
        self, owner: Caller, workspace: dict[str, Any], url: str
    ) -> None:
        response = await owner.post(f"/workspaces/{workspace['id']}/webhooks", {"url": url})
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", "url"]

    @pytest.mark.parametrize(
        "host",
        [
            *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "LOCALHOST.", "0"),
            *("10.0.0.1", "169.254.169.254", "192.168.1.1:8080", "[::1]", "[::ffff:127.0.0.1]", "[fd00::1]"),
            "[64:ff9b::7f00:1]",
        ],
    )
    async def test_refuses_a_private_address_and_names_the_setting_that_allows_it(
        self, owner: Caller, workspace: dict[str, Any], host: str
    ) -> None:
        path = f"/workspaces/{workspace['id']}/webhooks"
        response = await owner.post(path, {"url": f"http://{host}/hook"})
        assert response.status_code == 422
        (error,) = response.json()["error"]["details"]["errors"]
        assert (error["loc"], error["code"]) == (["body", "url"], "forbidden_url")
        assert "WEBHOOK_ALLOW_CIDRS" in error["message"]

    async def test_takes_a_private_address_that_is_allowed(
        self, owner: Caller, workspace: dict[str, Any], change_settings: Any
    ) -> None:
        change_settings(webhook_allow_cidrs=("10.1.0.0/16",))
        path = f"/workspaces/{workspace['id']}/webhooks"
        assert (await owner.post(path, {"url": "http://10.1.2.3:8080/"})).status_code == 201
        assert (await owner.post(path, {"url": "http://10.2.2.3:8080/"})).status_code == 422

    async def test_refuses_our_own_address(
        self, owner: Caller, workspace: dict[str, Any], change_settings: Any
    ) -> None:
        change_settings(public_url="https://tracker.example.com")
        path = f"/workspaces/{workspace['id']}/webhooks"
        response = await owner.post(path, {"url": "https://Tracker.Example.com/api/v1/hooks/1"})
        assert response.status_code == 422
        assert (await owner.post(path, {"url": "https://tracker.example.com:8443/"})).status_code == 201

    @pytest.mark.parametrize("event", ["task.creatd", "task", "*", "task.*.x", "tasks.*", ".*"])
    async def test_refuses_events_that_there_are_not(
        self, owner: Caller, workspace: dict[str, Any], event: str
    ) -> None:
        body = {"url": URL, "events": ["task.created", event]}
        response = await owner.post(f"/workspaces/{workspace['id']}/webhooks", body)
        assert response.status_code == 422

    async def test_refuses_a_project_of_another_workspace(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], callers: Callers
    ) -> None:
        path = f"/workspaces/{workspace['id']}/webhooks"
        stranger = await callers.user()
        theirs = await make_project(stranger, await make_workspace(stranger))
        other = await make_project(owner, await make_workspace(owner))
        for foreign in (theirs, other):
            response = await owner.post(path, {"url": URL, "project_id": foreign["id"]})
            assert (response.status_code, response.json()["error"]["code"]) == (404, "PROJECT_NOT_FOUND")
        assert (await owner.post(path, {"url": URL, "project_id": project["id"]})).status_code == 201

    async def test_refuses_one_too_many(
        self, owner: Caller, workspace: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert policy.MOST_WEBHOOKS == 100
        monkeypatch.setattr(policy, "MOST_WEBHOOKS", 2)
        first, _ = [await make_webhook(owner, workspace, URL) for _ in range(2)]
        path = f"/workspaces/{workspace['id']}/webhooks"
        response = await owner.post(path, {"url": URL})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "TOO_MANY_WEBHOOKS")
        assert (await owner.delete(f"/webhooks/{first['id']}")).status_code == 204
        assert (await owner.post(path, {"url": URL})).status_code == 201

    @pytest.mark.parametrize(
        ("scope", "status"), [("webhooks:read", 403), ("workspaces:write", 403), ("webhooks:write", 201)]
    )
    async def test_needs_its_scope(
        self, owner: Caller, workspace: dict[str, Any], scope: str, status: int
    ) -> None:
        script = await make_api_token(owner, scope)
        response = await owner.client.post(
            f"/api/v1/workspaces/{workspace['id']}/webhooks",
            json={"url": URL},
            headers={"Authorization": f"Bearer {script['token']}"},
        )
        assert response.status_code == status

    @pytest.mark.alone
    async def test_gives_the_secret_this_once(
        self, owner: Caller, workspace: dict[str, Any], callers: Callers
    ) -> None:
        webhook = await make_webhook(
            owner, workspace, URL, events=["task.*", "task.*", "comment.created"], is_ordered=True
        )
        assert webhook["events"] == ["comment.created", "task.*"]
        prefix, _, key = webhook.pop("secret").partition("_")
        assert (prefix, len(b64decode(key))) == ("whsec", 32)
        shown = await owner.get(f"/webhooks/{webhook['id']}")
        assert shown.json() == webhook
        async with callers.database.reading() as session:
            stored = (await session.execute(text("SELECT secret FROM webhooks"))).scalar_one()
            told = text("SELECT string_agg(CAST(after AS text), '') FROM workspace_events")
            events = (await session.execute(told)).scalar_one()
        assert key not in stored
        assert "whsec" not in events
        assert stored not in events


class TestRead:
    @pytest.mark.parametrize(("role", "status"), ROLES)
    async def test_is_for_admins(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        webhook: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        for path in (f"/workspaces/{workspace['id']}/webhooks", f"/webhooks/{webhook['id']}"):
            assert (await caller.get(path)).status_code == status

    async def test_a_list_is_that_of_the_workspace(
        self, owner: Caller, workspace: dict[str, Any], webhook: dict[str, Any]
    ) -> None:
        other = await make_workspace(owner)
        for place, ids in ((workspace, [webhook["id"]]), (other, [])):
            items = (await owner.get(f"/workspaces/{place['id']}/webhooks")).json()["items"]
            assert [each["id"] for each in items] == ids

    @pytest.mark.parametrize(("role", "sees"), [(Role.MEMBER, False), (Role.ADMIN, True)])
    async def test_and_so_are_its_changes(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        webhook: dict[str, Any],
        role: Role,
        sees: bool,
    ) -> None:
        caller = await callers.member(workspace["id"], role)
        for place in ("changes", "activity"):
            items = (await caller.get(f"/workspaces/{workspace['id']}/{place}")).json()["items"]
            assert (webhook["id"] in [each["subject"]["id"] for each in items]) == sees


class TestUpdate:
    @pytest.mark.parametrize(("role", "status"), ROLES)
    async def test_is_for_admins(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        webhook: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        path = f"/webhooks/{webhook['id']}"
        assert (await caller.patch(path, {"description": "New"})).status_code == status
        assert (await caller.post(f"{path}/secret", {})).status_code == status
        assert (await caller.delete(path)).status_code == (204 if status == 200 else status)

    @pytest.mark.parametrize(
        "body",
        [
            *({"url": "http://127.0.0.1/"}, {"url": None}, {"events": ["no.such"]}, {"project_id": None}),
            *({"is_enabled": None}, {"is_ordered": "perhaps"}, {"secret": "whsec_"}),
        ],
    )
    async def test_refuses(self, owner: Caller, webhook: dict[str, Any], body: dict[str, Any]) -> None:
        response = await owner.patch(f"/webhooks/{webhook['id']}", body)
        assert response.status_code == 422
        assert (await owner.get(f"/webhooks/{webhook['id']}")).json()["version"] == 1

    async def test_refuses_a_stale_etag(self, owner: Caller, webhook: dict[str, Any]) -> None:
        path = f"/webhooks/{webhook['id']}"
        assert (await owner.patch(path, {"description": "1"}, if_match='"1"')).status_code == 200
        response = await owner.patch(path, {"description": "2"}, if_match='"1"')
        assert response.status_code == 412
        assert (await owner.delete(path, if_match='"1"')).status_code == 412
        assert (await owner.delete(path, if_match='"2"')).status_code == 204

    async def test_changes_what_is_sent(self, owner: Caller, webhook: dict[str, Any]) -> None:
        path = f"/webhooks/{webhook['id']}"
        changes = {"url": "http://example.com/other", "events": ["task.*"], "is_ordered": True}
        response = await owner.patch(path, changes)
        assert response.status_code == 200
        assert (await owner.get(path)).json() == response.json()
        was = {name: value for name, value in webhook.items() if name != "secret"}
        assert response.json() == was | changes | {
            name: response.json()[name] for name in ("version", "updated_at")
        }

    async def test_switches_off_and_on(self, owner: Caller, webhook: dict[str, Any]) -> None:
        path = f"/webhooks/{webhook['id']}"
        off = (await owner.patch(path, {"is_enabled": False})).json()
        assert (off["is_enabled"], off["disabled_reason"]) == (False, "asked")
        assert off["disabled_at"] is not None
        on = (await owner.patch(path, {"is_enabled": True})).json()
        assert (on["is_enabled"], on["disabled_reason"], on["disabled_at"]) == (True, None, None)
        again = (await owner.patch(path, {"is_enabled": True})).json()
        assert again["version"] == on["version"]


class TestSecret:
    async def test_is_another_one_each_time_and_raises_the_version(
        self, owner: Caller, webhook: dict[str, Any]
    ) -> None:
        path = f"/webhooks/{webhook['id']}"
        changed = await owner.post(f"{path}/secret", {"previous_valid_hours": 0})
        assert changed.status_code == 200
        assert changed.json()["secret"] != webhook["secret"]
        assert changed.headers["Cache-Control"] == "no-store"
        shown = await owner.get(path)
        assert shown.headers["ETag"] == changed.headers["ETag"] == '"2"'
        assert shown.json()["secret_changed_at"] is not None

    @pytest.mark.parametrize("hours", [-1, 169, "1", 1.5, None])
    async def test_refuses_other_hours(self, owner: Caller, webhook: dict[str, Any], hours: Any) -> None:
        response = await owner.post(f"/webhooks/{webhook['id']}/secret", {"previous_valid_hours": hours})
        assert response.status_code == 422


class TestDelete:
    @pytest.mark.alone
    async def test_leaves_no_secret(self, owner: Caller, webhook: dict[str, Any], callers: Callers) -> None:
        path = f"/webhooks/{webhook['id']}"
        assert (await owner.delete(path)).status_code == 204
        for answer in (await owner.get(path), await owner.delete(path), await owner.post(f"{path}/pings")):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "WEBHOOK_NOT_FOUND")
        async with callers.database.reading() as session:
            kept = (await session.execute(text("SELECT secret, previous_secret FROM webhooks"))).one()
        assert tuple(kept) == ("", None)


@pytest.mark.alone
async def test_another_jwt_secret_seals_both_secrets_anew(
    owner: Caller, webhook: dict[str, Any], database: Database, app: FastAPI
) -> None:
    second = (await owner.post(f"/webhooks/{webhook['id']}/secret", {})).json()["secret"]
    present, alone = app.state.settings.jwt_secret.get_secret_value(), Keys.derive("another secret")
    stored = text("SELECT id, secret, previous_secret, version, updated_at FROM webhooks")
    async with database.reading() as session:
        was = (await session.execute(stored)).one()
    with pytest.raises(BrokenSealError):
        policy.unseal_secret(alone, was.id, was.secret)
    await SealService(database, Keys.derive("another secret", present)).renew()
    async with database.reading() as session:
        row = (await session.execute(stored)).one()
    opened = [policy.unseal_secret(alone, row.id, each) for each in (row.secret, row.previous_secret)]
    assert opened == [read_secret(second), read_secret(webhook["secret"])]
    assert (row.version, row.updated_at) == (was.version, was.updated_at)
