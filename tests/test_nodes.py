"""Two nodes of one installation, and callers whose every request may come to the other one: docs/nodes.md."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import SecretStr

from glasswork.app import create_app
from tests.conftest import make_client
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.files import PDF, make_attachment
from tests.factories.tracker import make_api_token, make_project, make_task, make_workspace

from .features.accounts.sign_in import log_in

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@asynccontextmanager
async def node(first: FastAPI, **changes: Any) -> AsyncIterator[AsyncClient]:
    """Another one on the database of the first."""
    app = create_app(first.state.settings.model_copy(update=changes))
    async with app.router.lifespan_context(app), make_client(app) as client:
        yield client


@pytest.fixture
def here(committing_callers: Callers) -> AsyncClient:
    return committing_callers.client


@pytest.fixture
async def there(committing_app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with node(committing_app) as client:
        yield client


@pytest.fixture
async def me(committing_callers: Callers) -> Caller:
    return await committing_callers.user()


def at(node: AsyncClient, me: Caller) -> Caller:
    return replace(me, client=node)


class TestSessions:
    async def test_hold_and_end_everywhere(self, here: AsyncClient, there: AsyncClient, me: Caller) -> None:
        form = {"username": me.email, "password": PASSWORD}
        begun = (await here.post("/api/v1/auth/token", data=form)).json()
        renewed = await there.post("/api/v1/auth/refresh", json={"refresh_token": begun["refresh_token"]})
        mine = replace(me, token=renewed.json()["access_token"])
        assert (await at(here, mine).get("/users/me")).status_code == 200
        assert (await at(there, mine).get("/users/me")).status_code == 200
        assert (await at(here, mine).post("/auth/logout")).status_code == 204
        assert (await at(there, mine).get("/users/me")).status_code == 401

    async def test_need_the_same_secret(self, committing_app: FastAPI, here: AsyncClient, me: Caller) -> None:
        assert (await at(here, me).get("/users/me")).status_code == 200
        async with node(committing_app, jwt_secret=SecretStr("of its own" * 4)) as stranger:
            assert (await at(stranger, me).get("/users/me")).status_code == 401

    async def test_of_api_tokens_end_everywhere(
        self, here: AsyncClient, there: AsyncClient, me: Caller
    ) -> None:
        path = f"/workspaces/{(await make_workspace(at(here, me)))['id']}/tasks"
        token = await make_api_token(at(here, me), "tasks:read")
        script = replace(me, token=token["token"])
        for each in (here, there):
            assert (await at(each, script).get(path)).status_code == 200
        assert (await at(here, me).delete(f"/auth/api-tokens/{token['id']}")).status_code == 204
        assert (await at(there, script).get(path)).status_code == 401


class TestState:
    async def test_that_is_written_here_is_read_there(
        self, here: AsyncClient, there: AsyncClient, me: Caller
    ) -> None:
        """Also what is kept: the summary is that of the last change, wherever it was made."""
        project = await make_project(at(here, me), await make_workspace(at(there, me)))
        path = f"/projects/{project['id']}/summary"
        for number, (writer, reader) in enumerate([(here, there), (there, here)] * 2, 1):
            task = await make_task(at(writer, me), project)
            assert (await at(reader, me).get(f"/tasks/{task['id']}")).status_code == 200
            assert (await at(reader, me).get(path)).json()["count"] == number

    async def test_of_a_retry_is_known_everywhere(
        self, here: AsyncClient, there: AsyncClient, me: Caller
    ) -> None:
        project = await make_project(at(here, me), await make_workspace(at(here, me)))
        path, key = f"/projects/{project['id']}/tasks", "one-create-of-mine"
        answers = [
            await at(each, me).post(path, {"title": "Once"}, idempotency_key=key) for each in (here, there)
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert (await at(here, me).get(path, total="true")).json()["total"] == 1

    async def test_of_guesses_is_counted_together(self, committing_app: FastAPI, me: Caller) -> None:
        async with (
            node(committing_app, rate_limit_enabled=True) as here,
            node(committing_app, rate_limit_enabled=True) as there,
        ):
            for each in [here, there] * 3:
                assert (await log_in(each, me.email, "another otter 78")).status_code == 401
            assert [(await log_in(each, me.email)).status_code for each in (here, there)] == [429, 429]


class TestFiles:
    async def test_need_a_shared_place(
        self, committing_app: FastAPI, here: AsyncClient, there: AsyncClient, me: Caller, tmp_path: Path
    ) -> None:
        task = await make_task(me, await make_project(me, await make_workspace(me)))
        attachment = await make_attachment(at(here, me), task)
        path = f"/attachments/{attachment['id']}/content"
        answer = await at(there, me).get(path)
        assert (answer.status_code, answer.content) == (200, PDF)
        async with node(committing_app, data_dir=tmp_path) as alone:
            answer = await at(alone, me).get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
