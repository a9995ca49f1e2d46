"""Tokens with which scripts act for people: what they open, and what they don't."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select, text, update
from uuid_utils.compat import uuid7

from glasswork.core.actor import Scope, TokenUse
from glasswork.core.db import Database
from glasswork.core.events import InstallationEvent
from glasswork.core.tokens import InvalidTokenError, new_api_token
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.accounts.models import ApiToken, SystemRole, User
from glasswork.features.api_tokens.events import ApiTokenCreated
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_task, make_workspace
from tests.features.accounts.sign_in import error_of
from tests.features.credentials.letters import Postman

pytestmark = pytest.mark.anyio


async def script_of(owner: Caller, *scopes: str, **fields: Any) -> Caller:
    """The owner's script: a caller with an API token."""
    made = await make_api_token(owner, *scopes, **fields)
    return replace(owner, token=made["token"])


async def set_token(database: Database, **values: Any) -> None:
    async with database.system_transaction() as session:
        await session.execute(update(ApiToken).values(**values))


@pytest.fixture
async def ada(callers: Callers) -> Caller:
    return await callers.user()


class TestMaking:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": " ", "scopes": ["tasks:read"]}, "name"),
            ({"name": "n" * 101, "scopes": ["tasks:read"]}, "name"),
            ({"name": "n", "scopes": []}, "scopes"),
            ({"name": "n", "scopes": ["tasks:all"]}, "scopes"),
            ({"name": "n", "scopes": "tasks:read"}, "scopes"),
            ({"name": "n", "scopes": ["tasks:read"], "expires_in_days": 0}, "expires_in_days"),
            ({"name": "n", "scopes": ["tasks:read"], "expires_in_days": 367}, "expires_in_days"),
            ({"name": "n", "scopes": ["tasks:read"], "expires_in_days": None}, "expires_in_days"),
            ({"name": "n", "scopes": ["tasks:read"], "user_id": str(UUID(int=1))}, "user_id"),
        ],
    )
    async def test_what_is_wrong_is_refused(self, ada: Caller, body: dict[str, Any], field: str) -> None:
        answer = await ada.post("/auth/api-tokens", body)
        assert answer.status_code == 422
        assert error_of(answer)["details"]["errors"][0]["loc"][:2] == ["body", field]

    async def test_a_workspace_that_i_cannot_see_is_not_there(self, callers: Callers, ada: Caller) -> None:
        workspace = await make_workspace(await callers.user())
        body = {"name": "n", "scopes": ["tasks:read"], "workspace_id": workspace["id"]}
        assert (await ada.post("/auth/api-tokens", body)).status_code == 404
        body["workspace_id"] = (await make_workspace(ada))["id"]
        assert (await ada.post("/auth/api-tokens", body)).status_code == 201

    async def test_the_installation_is_in_no_workspace(self, ada: Caller) -> None:
        workspace = await make_workspace(ada)
        body = {"name": "n", "scopes": ["tasks:read", "admin:read"], "workspace_id": workspace["id"]}
        answer = await ada.post("/auth/api-tokens", body)
        assert (answer.status_code, error_of(answer)["code"]) == (422, "VALIDATION_ERROR")

    @pytest.mark.alone
    async def test_it_is_shown_once_and_only_its_hash_is_kept(self, ada: Caller, database: Database) -> None:
        answer = await ada.post(
            "/auth/api-tokens", {"name": "nightly", "scopes": ["tasks:write", "tasks:read"]}
        )
        made = answer.json()
        secret = made.pop("token")
        assert secret.startswith("gwk_")
        assert made["scopes"] == ["tasks:read", "tasks:write"]
        shown = await ada.get(answer.headers["Location"].removeprefix("/api/v1"))
        assert (shown.json(), shown.headers["ETag"]) == (made, answer.headers["ETag"])
        assert (await ada.get("/auth/api-tokens")).json()["items"] == [made]
        async with database.reading() as session:
            kept = (
                await session.execute(text("SELECT to_jsonb(api_tokens)::text FROM api_tokens"))
            ).scalar_one()
            told = (await session.scalars(select(InstallationEvent))).all()
        assert secret not in kept
        assert [event.type for event in told] == ["api_token.created"]
        assert secret not in str(told[0].after)

    async def test_its_owner_is_told(self, app: FastAPI, database: Database, ada: Caller) -> None:
        await make_api_token(ada, "tasks:read", name="nightly")
        letter = await Postman(app, database).deliver(ApiTokenCreated)
        assert letter is not None
        assert letter.recipient == ada.email
        assert "nightly" in letter.body
        assert "tasks:read" in letter.body

    async def test_unless_they_are_shut_off(self, app: FastAPI, database: Database, ada: Caller) -> None:
        await make_api_token(ada, "tasks:read")
        async with database.system_transaction() as session:
            await session.execute(update(User).values(is_active=False))
        assert await Postman(app, database).deliver(ApiTokenCreated) is None


class TestScope:
    @pytest.fixture
    async def task(self, ada: Caller) -> dict[str, Any]:
        return await make_task(ada, await make_project(ada, await make_workspace(ada)))

    async def test_a_missing_one_is_named(self, ada: Caller, task: dict[str, Any]) -> None:
        script = await script_of(ada, "tasks:read", "projects:write")
        answer = await script.patch(f"/tasks/{task['id']}", {"title": "Another"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "MISSING_SCOPE")
        assert error_of(answer)["details"] == {"scope": "tasks:write"}
        assert (await ada.get(f"/tasks/{task['id']}")).json() == task

    async def test_the_right_one_does(self, ada: Caller, task: dict[str, Any]) -> None:
        script = await script_of(ada, "tasks:read", "tasks:write")
        assert (await script.get(f"/tasks/{task['id']}")).json() == task
        changed = await script.patch(f"/tasks/{task['id']}", {"title": "Another"})
        assert (changed.status_code, changed.json()["title"]) == (200, "Another")

    async def test_a_missing_one_is_named_before_what_is_not_there(self, ada: Caller) -> None:
        script = await script_of(ada, "tasks:read")
        assert (await script.get(f"/tasks/{uuid7()}")).status_code == 404
        assert error_of(await script.patch(f"/tasks/{uuid7()}", {"title": "x"}))["code"] == "MISSING_SCOPE"

    async def test_the_role_decides_within_it(self, callers: Callers, ada: Caller) -> None:
        workspace = await make_workspace(ada)
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        script = await script_of(viewer, "projects:read", "projects:write")
        path = f"/workspaces/{workspace['id']}/projects"
        assert (await script.get(path)).status_code == 200
        answer = await script.post(path, {"name": "P", "key": "PRO"})
        assert error_of(answer)["code"] == "PERMISSION_DENIED"

    async def test_that_of_the_installation_is_for_its_admins(self, callers: Callers, ada: Caller) -> None:
        script = await script_of(ada, "admin:read")
        assert error_of(await script.get("/users"))["code"] == "PERMISSION_DENIED"
        admin = await callers.user(SystemRole.ADMIN)
        assert (await (await script_of(admin, "admin:read")).get("/users")).status_code == 200
        refused = await (await script_of(admin, "profile:read")).get("/users")
        assert error_of(refused)["details"] == {"scope": "admin:read"}

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/auth/sessions"),
            ("POST", "/auth/api-tokens"),
            ("GET", "/auth/api-tokens"),
            ("POST", "/auth/logout"),
            ("POST", "/auth/change-password"),
            ("POST", "/invitations/accept"),
        ],
    )
    async def test_no_scope_opens_what_needs_a_session(self, ada: Caller, method: str, path: str) -> None:
        script = await script_of(ada, *Scope)
        answer = await script.request(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "SESSION_REQUIRED")


class TestWorkspace:
    async def test_it_is_kept_to_one(self, ada: Caller) -> None:
        here, there = await make_workspace(ada), await make_workspace(ada)
        tasks = {place["id"]: await make_task(ada, await make_project(ada, place)) for place in (here, there)}
        scopes = ("workspaces:read", "projects:read", "tasks:read", "changes:read")
        script = await script_of(ada, *scopes, workspace_id=here["id"])
        assert [item["id"] for item in (await script.get("/workspaces")).json()["items"]] == [here["id"]]
        for path in ("", "/members", "/projects", "/tasks", "/changes"):
            assert (await script.get(f"/workspaces/{here['id']}{path}")).status_code == 200
            assert (await script.get(f"/workspaces/{there['id']}{path}")).status_code == 404
        assert (await script.get(f"/tasks/{tasks[here['id']]['id']}")).status_code == 200
        assert (await script.get(f"/tasks/{tasks[there['id']]['id']}")).status_code == 404

    async def test_it_opens_no_other(self, ada: Caller) -> None:
        here = await make_workspace(ada)
        new = {"name": "New", "slug": "new"}
        kept = await script_of(ada, "workspaces:write", workspace_id=here["id"])
        assert error_of(await kept.post("/workspaces", new))["code"] == "PERMISSION_DENIED"
        free = await script_of(ada, "workspaces:write")
        assert (await free.post("/workspaces", new)).status_code == 201


class TestStanding:
    @pytest.fixture
    async def script(self, ada: Caller) -> Caller:
        return await script_of(ada, "profile:read")

    async def test_a_genuine_one_does(self, script: Caller) -> None:
        assert (await script.get("/users/me")).json()["id"] == str(script.id)

    @pytest.mark.parametrize(
        "ended", [{"revoked_at": func.now()}, {"expires_at": func.now()}, {"token_hash": "another"}]
    )
    async def test_it_has_ended(self, script: Caller, database: Database, ended: dict[str, Any]) -> None:
        assert (await script.get("/users/me")).status_code == 200
        await set_token(database, **ended)
        answer = await script.get("/users/me")
        assert (answer.status_code, error_of(answer)["code"]) == (401, "INVALID_TOKEN")

    @pytest.mark.parametrize("ended", [{"revoked_at": func.now()}, {"expires_at": func.now()}])
    async def test_it_is_shown_until_then(
        self, ada: Caller, database: Database, ended: dict[str, Any]
    ) -> None:
        await make_api_token(ada, "profile:read")
        (token,) = (await ada.get("/auth/api-tokens")).json()["items"]
        assert (await ada.get(f"/auth/api-tokens/{token['id']}")).status_code == 200
        await set_token(database, **ended)
        assert (await ada.get("/auth/api-tokens")).json()["items"] == []
        for method in ("GET", "DELETE"):
            assert (await ada.request(method, f"/auth/api-tokens/{token['id']}")).status_code == 404

    async def test_revoked_by_its_owner(self, callers: Callers, ada: Caller, script: Caller) -> None:
        (token,) = (await ada.get("/auth/api-tokens")).json()["items"]
        other = await callers.user()
        assert (await other.delete(f"/auth/api-tokens/{token['id']}")).status_code == 404
        assert (await other.get(f"/auth/api-tokens/{token['id']}")).status_code == 404
        assert (await ada.delete(f"/auth/api-tokens/{uuid7()}")).status_code == 404
        assert (await script.get("/users/me")).status_code == 200
        assert (await ada.delete(f"/auth/api-tokens/{token['id']}")).status_code == 204
        assert (await script.get("/users/me")).status_code == 401
        assert (await ada.delete(f"/auth/api-tokens/{token['id']}")).status_code == 404
        assert (await ada.get("/auth/api-tokens")).json()["items"] == []

    async def test_of_a_user_who_is_shut_off(self, callers: Callers, script: Caller) -> None:
        admin = await callers.user(SystemRole.ADMIN)
        assert (await admin.patch(f"/users/{script.id}", {"is_active": False})).status_code == 200
        assert (await script.get("/users/me")).status_code == 401
        assert (await admin.patch(f"/users/{script.id}", {"is_active": True})).status_code == 200
        assert (await script.get("/users/me")).status_code == 401

    async def test_of_a_user_who_was_shut_off_while_making_it(
        self, script: Caller, database: Database
    ) -> None:
        """It came too late to be revoked with the others."""
        async with database.system_transaction() as session:
            await session.execute(update(User).values(is_active=False))
        assert (await script.get("/users/me")).status_code == 401

    async def test_the_id_of_a_session_on_it(self, ada: Caller, database: Database) -> None:
        forged = replace(ada, token=new_api_token(ada.id, ada.actor.session_id))
        assert (await forged.get("/users/me")).status_code == 401
        async with database.reading() as session:
            await ensure_signed_in(session, ada.actor)
            with pytest.raises(InvalidTokenError):
                await ensure_signed_in(
                    session, replace(ada.actor, token=TokenUse("hash", Scope.PROFILE_READ))
                )

    @pytest.mark.parametrize("change", ["", "A", "=", "!"])
    async def test_a_changed_text(self, client: AsyncClient, script: Caller, change: str) -> None:
        token = script.token + change if change else script.token[:-1]
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/v1/users/me", headers=headers)).status_code == 401

    async def test_last_use_is_told_to_the_minute(self, ada: Caller, script: Caller) -> None:
        assert (await ada.get("/auth/api-tokens")).json()["items"][0]["last_used_at"] is None
        for _ in range(3):
            await script.get("/users/me")
        (used,) = (await ada.get("/auth/api-tokens")).json()["items"]
        assert used["last_used_at"] is not None
        assert used["version"] == 2

    async def test_what_is_refused_is_no_use(self, script: Caller, database: Database) -> None:
        await set_token(database, revoked_at=func.now())
        assert (await script.get("/users/me")).status_code == 401
        async with database.reading() as session:
            assert await session.scalar(select(ApiToken.last_used_at).filter_by(user_id=script.id)) is None
