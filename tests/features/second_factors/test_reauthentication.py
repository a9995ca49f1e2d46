"""What needs that somebody has just proved who they are, and how to prove it once more."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from glasswork.core.actor import Actor, Scope, TokenUse
from glasswork.core.db import Database
from glasswork.core.tokens import digest
from glasswork.features.accounts.access import ensure_signed_in, require_recent_login
from glasswork.features.accounts.errors import ReauthenticationRequiredError
from glasswork.features.accounts.models import SystemRole, UserSession
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_api_token, make_workspace
from tests.features.accounts.sign_in import error_of, log_in, refresh

from .authenticator import grow_old, turn_on

pytestmark = pytest.mark.anyio

OLD, YOUNG = "10 minutes", "9 minutes 59 seconds"

OPERATIONS: dict[str, tuple[str, str, Any]] = {
    "API token": ("POST", "/auth/api-tokens", {"name": "script", "scopes": ["tasks:read"]}),
    "transfer": ("POST", "/workspaces/{workspace}/transfer", {"user_id": "{member}"}),
    "deletion of a workspace": ("DELETE", "/workspaces/{workspace}", None),
    "TOTP off": ("DELETE", "/auth/totp", None),
    "TOTP of another off": ("DELETE", "/users/{member}/totp", None),
    "recovery codes": ("POST", "/auth/totp/recovery-codes", None),
}


@pytest.fixture
async def ada(callers: Callers) -> Caller:
    """An admin, so that every operation is open."""
    return await callers.user(SystemRole.ADMIN)


@pytest.fixture
async def ids(callers: Callers, ada: Caller, database: Database) -> dict[str, str]:
    workspace = await make_workspace(ada)
    member = await callers.member(workspace["id"], Role.MEMBER)
    for each in (ada, member):
        await turn_on(each, database)
    return {"workspace": workspace["id"], "member": str(member.id)}


async def call(caller: Caller, operation: str, ids: dict[str, str]) -> Any:
    method, path, body = OPERATIONS[operation]
    filled = body and {
        name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()
    }
    return await caller.request(method, path.format(**ids), json=filled)


@pytest.mark.parametrize("operation", OPERATIONS)
class TestMatrix:
    async def test_an_old_login_is_refused(
        self, ada: Caller, ids: dict[str, str], database: Database, operation: str
    ) -> None:
        await grow_old(database, ada.id, OLD)
        answer = await call(ada, operation, ids)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert error_of(answer)["details"] == {"max_age": 600}
        await grow_old(database, ada.id, YOUNG)
        assert (await call(ada, operation, ids)).is_success

    async def test_a_young_login_passes(
        self, ada: Caller, ids: dict[str, str], database: Database, operation: str
    ) -> None:
        await grow_old(database, ada.id, YOUNG)
        assert (await call(ada, operation, ids)).is_success

    async def test_who_has_logged_out_is_told_so_first(
        self, ada: Caller, ids: dict[str, str], database: Database, operation: str
    ) -> None:
        await grow_old(database, ada.id, OLD)
        await ada.post("/auth/logout")
        assert error_of(await call(ada, operation, ids))["code"] == "SESSION_ENDED"


async def test_who_may_not_is_not_asked_to_log_in(callers: Callers, ada: Caller, database: Database) -> None:
    workspace = await make_workspace(ada)
    member, stranger = await callers.member(workspace["id"]), await callers.user()
    for caller, status, code in (
        (member, 403, "PERMISSION_DENIED"),
        (stranger, 404, "WORKSPACE_NOT_FOUND"),
    ):
        await grow_old(database, caller.id, OLD)
        answer = await caller.delete(f"/workspaces/{workspace['id']}")
        assert (answer.status_code, error_of(answer)["code"]) == (status, code)


async def test_no_api_token_passes(ada: Caller, database: Database) -> None:
    made = await make_api_token(ada, "tasks:read")
    use = TokenUse(digest(made["token"]), Scope.TASKS_READ)
    script = Actor(ada.id, made["id"], use)
    async with database.reading() as session:
        await ensure_signed_in(session, script)
        with pytest.raises(ReauthenticationRequiredError):
            await require_recent_login(session, script)
        await require_recent_login(session, ada.actor)


class TestReauthenticate:
    async def test_needs_the_password(self, ada: Caller, database: Database) -> None:
        await grow_old(database, ada.id, OLD)
        answer = await ada.post("/auth/reauthenticate", {"password": "another otter 78"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_PASSWORD")
        assert await is_refused(ada)
        answer = await ada.post("/auth/reauthenticate", {"password": PASSWORD})
        assert (answer.status_code, answer.content) == (204, b"")
        assert not await is_refused(ada)

    async def test_needs_a_code_where_there_is_a_second_factor(self, ada: Caller, database: Database) -> None:
        phone = await turn_on(ada, database)
        await grow_old(database, ada.id, OLD)
        for wrong in (None, await phone.wrong_code(), await phone.code(-1)):
            answer = await ada.post("/auth/reauthenticate", {"password": PASSWORD, "code": wrong})
            assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_CODE")
            assert await is_refused(ada)
        for code in (await phone.code(), phone.recovery_codes[0]):
            await grow_old(database, ada.id, OLD)
            answer = await ada.post("/auth/reauthenticate", {"password": PASSWORD, "code": code})
            assert answer.status_code == 204
            assert not await is_refused(ada)

    async def test_a_wrong_password_uses_no_code_up(self, ada: Caller, database: Database) -> None:
        phone = await turn_on(ada, database)
        code = await phone.code()
        body = {"password": "another otter 78", "code": code}
        assert (await ada.post("/auth/reauthenticate", body)).status_code == 403
        assert (
            await ada.post("/auth/reauthenticate", {"password": PASSWORD, "code": code})
        ).status_code == 204

    async def test_is_for_this_session_only(self, ada: Caller, callers: Callers, database: Database) -> None:
        other = (await log_in(callers.client, ada.email)).json()
        await grow_old(database, ada.id, OLD)
        assert (await ada.post("/auth/reauthenticate", {"password": PASSWORD})).status_code == 204
        answer = await callers.client.post(
            "/api/v1/auth/api-tokens",
            json={"name": "n", "scopes": ["tasks:read"]},
            headers={"Authorization": f"Bearer {other['access_token']}"},
        )
        assert error_of(answer)["code"] == "REAUTHENTICATION_REQUIRED"
        assert not await is_refused(ada)

    async def test_new_tokens_prove_nothing(self, callers: Callers, ada: Caller, database: Database) -> None:
        tokens = (await log_in(callers.client, ada.email)).json()
        await grow_old(database, ada.id, OLD)
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 200
        times = select(UserSession.created_at, UserSession.authenticated_at)
        async with database.reading() as session:
            found = (await session.execute(times.where(UserSession.user_id == ada.id))).all()
        assert {created - proved for created, proved in found} == {timedelta(minutes=10)}


async def is_refused(caller: Caller) -> bool:
    answer = await caller.post("/auth/api-tokens", {"name": "n", "scopes": ["tasks:read"]})
    return answer.status_code == 403
