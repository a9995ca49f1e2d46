from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_workspace
from tests.statements import statements

pytestmark = pytest.mark.anyio

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
REPLAYED = "Idempotent-Replayed"


async def send(caller: Caller, path: str, body: Any = None, key: str = KEY, **headers: str) -> Response:
    return await caller.post(path, body, idempotency_key=key, **headers)


async def titles(caller: Caller, project: dict[str, Any]) -> list[str]:
    return [task["title"] for task in (await caller.get(f"/projects/{project['id']}/tasks")).json()["items"]]


async def age(database: Database, interval: str) -> None:
    aged = text("UPDATE idempotency_keys SET claimed_at = now() - CAST(:interval AS text)::interval")
    async with database.system_transaction() as session:
        await session.execute(aged, {"interval": interval})


async def with_token(callers: Callers, owner: Caller, *scopes: str, **fields: Any) -> Caller:
    token = await make_api_token(owner, *scopes, **fields)
    return Caller(callers.client, owner.actor, owner.email, owner.username, token["token"])


@pytest.fixture
def path(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/tasks"


class TestRefusals:
    @pytest.mark.parametrize("key", ["", "two words", "x" * 256, "tab\tbed", "\x7f"])
    async def test_a_malformed_key(self, owner: Caller, path: str, key: str) -> None:
        answer = await send(owner, path, {"title": "T"}, key)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
        assert [error["loc"] for error in answer.json()["error"]["details"]["errors"]] == [
            ["header", "Idempotency-Key"]
        ]

    @pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted"', "!~"])
    async def test_a_key_that_is_as_long_or_odd_as_may_be(self, owner: Caller, path: str, key: str) -> None:
        assert (await send(owner, path, {"title": "T"}, key)).status_code == 201

    async def test_another_body(self, owner: Caller, project: dict[str, Any], path: str) -> None:
        await send(owner, path, {"title": "First"})
        answer = await send(owner, path, {"title": "Second"})
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert REPLAYED not in answer.headers
        assert await titles(owner, project) == ["First"]

    async def test_another_path(self, owner: Caller, workspace: dict[str, Any], path: str) -> None:
        other = await make_project(owner, workspace)
        assert (await send(owner, path, {"title": "T"})).status_code == 201
        answer = await send(owner, f"/projects/{other['id']}/tasks", {"title": "T"})
        assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert await titles(owner, other) == []

    async def test_another_precondition(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        path, body = f"/tasks/{task['id']}/move", {"project_id": (await make_project(owner, workspace))["id"]}
        moved = await send(owner, path, body, if_match='"1"')
        assert moved.status_code == 200
        answer = await send(owner, path, body, if_match='"2"')
        assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert (await send(owner, path, body, if_match='"1"')).json() == moved.json()

    async def test_whose_session_has_ended(self, owner: Caller, path: str) -> None:
        assert (await send(owner, path, {"title": "T"})).status_code == 201
        await owner.post("/auth/logout")
        for key in (KEY, "another"):
            answer = await send(owner, path, {"title": "T"}, key)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "SESSION_ENDED")

    async def test_a_token_without_the_scope(self, callers: Callers, owner: Caller, path: str) -> None:
        reader = await with_token(callers, owner, "tasks:read")
        writer = await with_token(callers, owner, "tasks:write")
        made = await send(owner, path, {"title": "T"})
        answer = await send(reader, path, {"title": "T"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "MISSING_SCOPE")
        assert (await send(writer, path, {"title": "T"})).json() == made.json()

    async def test_a_token_that_is_kept_to_another_workspace(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any], path: str
    ) -> None:
        elsewhere = (await make_workspace(owner))["id"]
        kept = await with_token(callers, owner, "tasks:write", workspace_id=elsewhere)
        here = await with_token(callers, owner, "tasks:write", workspace_id=workspace["id"])
        made = await send(owner, path, {"title": "T"})
        assert (await send(kept, path, {"title": "T"})).status_code == 404
        assert (await send(here, path, {"title": "T"})).json() == made.json()

    async def test_who_has_left_the_workspace(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any], path: str
    ) -> None:
        member = await callers.member(workspace["id"])
        assert (await send(member, path, {"title": "Secret"})).status_code == 201
        assert (await send(member, path, {"title": "Secret"})).headers[REPLAYED] == "true"
        await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
        answer = await send(member, path, {"title": "Secret"})
        assert answer.status_code == 404
        assert "Secret" not in answer.text

    async def test_after_the_workspace_is_gone(
        self, owner: Caller, workspace: dict[str, Any], path: str
    ) -> None:
        assert (await send(owner, path, {"title": "T"})).status_code == 201
        assert (await owner.delete(f"/workspaces/{workspace['id']}")).status_code == 204
        assert (await send(owner, path, {"title": "T"})).status_code == 404


class TestRefusalsAreNotKept:
    async def test_of_what_clashed(self, owner: Caller, workspace: dict[str, Any]) -> None:
        path, body = f"/workspaces/{workspace['id']}/projects", {"name": "P", "key": "OPS"}
        taken = await make_project(owner, workspace, key="OPS")
        assert (await send(owner, path, body)).status_code == 409
        await owner.delete(f"/projects/{taken['id']}")
        answer = await send(owner, path, body)
        assert answer.status_code == 201, answer.text
        assert REPLAYED not in answer.headers

    async def test_of_bad_input(self, owner: Caller, path: str) -> None:
        assert (await send(owner, path, {"title": ""})).status_code == 422
        assert (await send(owner, path, {"title": "T"})).status_code == 201

    async def test_of_whoever_lacked_the_right(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any], path: str
    ) -> None:
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        assert (await send(viewer, path, {"title": "T"})).status_code == 403
        await owner.patch(f"/workspaces/{workspace['id']}/members/{viewer.id}", {"role": "member"})
        answer = await send(viewer, path, {"title": "T"})
        assert answer.status_code == 201
        assert REPLAYED not in answer.headers


class TestWhoseTheKeyIs:
    async def test_of_its_caller_alone(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], path: str
    ) -> None:
        member = await callers.member(workspace["id"])
        answers = [await send(caller, path, {"title": f"By {caller.id}"}) for caller in (owner, member)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert REPLAYED not in answers[1].headers
        assert len(await titles(owner, project)) == 2

    async def test_and_so_is_its_answer(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any], path: str
    ) -> None:
        member = await callers.member(workspace["id"])
        for place, bodies in (
            (path, [{"title": "First"}, {"title": "Second"}]),
            ("/workspaces", [{"name": "First", "slug": "first"}, {"name": "Second", "slug": "second"}]),
        ):
            requests = list(zip((owner, member), bodies, strict=True))
            made = [(await send(caller, place, body)).json() for caller, body in requests]
            again = [await send(caller, place, body) for caller, body in requests]
            assert [answer.json() for answer in again] == made
            assert all(answer.headers[REPLAYED] == "true" for answer in again)

    async def test_and_of_its_operation(self, owner: Caller, task: dict[str, Any], path: str) -> None:
        assert (await send(owner, path, {"title": "T"})).status_code == 201
        answer = await send(owner, f"/tasks/{task['id']}/restore")
        assert answer.status_code == 200
        assert REPLAYED not in answer.headers


class TestTime:
    async def test_a_key_is_kept_for_a_day(
        self, owner: Caller, database: Database, project: dict[str, Any], path: str
    ) -> None:
        first = await send(owner, path, {"title": "T"})
        await age(database, "23 hours 59 minutes")
        assert (await send(owner, path, {"title": "T"})).json() == first.json()
        assert len(await titles(owner, project)) == 1

    async def test_and_is_free_after_that(
        self, owner: Caller, database: Database, project: dict[str, Any], path: str
    ) -> None:
        await send(owner, path, {"title": "Old"})
        await age(database, "24 hours")
        answer = await send(owner, path, {"title": "New"})
        assert (answer.status_code, answer.json()["title"]) == (201, "New")
        assert REPLAYED not in answer.headers
        again = await send(owner, path, {"title": "New"})
        assert (again.json(), again.headers[REPLAYED]) == (answer.json(), "true")
        assert sorted(await titles(owner, project)) == ["New", "Old"]


class TestCost:
    async def test_a_key_is_one_statement_before_all_others_and_one_behind(
        self, owner: Caller, database: Database, path: str
    ) -> None:
        with statements(database) as plain:
            await owner.post(path, {"title": "T"})
        with statements(database) as keyed:
            await send(owner, path, {"title": "T"})
        assert len(keyed) == len(plain) + 2
        about = ["idempotency_keys" in statement for statement in keyed]
        assert about[0]
        assert sum(about) == 2
        assert not any("idempotency_keys" in statement for statement in plain)

    async def test_a_replay_is_two(self, owner: Caller, database: Database, path: str) -> None:
        await send(owner, path, {"title": "T"})
        with statements(database) as sent:
            await send(owner, path, {"title": "T"})
        assert len(sent) == 2


async def test_a_secret_is_shown_once(owner: Caller, database: Database, workspace: dict[str, Any]) -> None:
    path, body = f"/workspaces/{workspace['id']}/invitations", {"email": "bob@example.com", "role": "member"}
    first = await send(owner, path, body)
    token = first.json()["token"]
    assert token.startswith("gwi_")
    again = await send(owner, path, body)
    assert again.json() == first.json() | {"token": None}
    assert again.headers["Location"] == first.headers["Location"]
    async with database.reading() as session:
        rows = (await session.scalars(text("SELECT convert_from(body, 'UTF8') FROM idempotency_keys"))).all()
    assert len(rows) == 1
    assert token not in rows[0]


async def test_a_task_that_is_gone_is_not_made_again(
    owner: Caller, project: dict[str, Any], path: str
) -> None:
    made = await send(owner, path, {"title": "T"})
    await owner.delete(f"/tasks/{made.json()['id']}")
    again = await send(owner, path, {"title": "T"})
    assert (again.status_code, again.json()) == (201, made.json())
    assert await titles(owner, project) == []


async def test_what_a_key_has_done_goes_with_the_account(callers: Callers, database: Database) -> None:
    loner = await callers.user()
    assert (await send(loner, "/workspaces", {"name": "W", "slug": f"w{uuid4().hex}"})).status_code == 201
    count = text("SELECT count(*) FROM idempotency_keys WHERE user_id = :id")
    async with database.system_transaction() as session:
        assert (await session.execute(count, {"id": loner.id})).scalar_one() == 1
    assert (await loner.request("DELETE", "/users/me", json={"password": "tremendous otter 77"})).is_success
    async with database.system_transaction() as session:
        assert (await session.execute(count, {"id": loner.id})).scalar_one() == 0
