"""What is said over a WebSocket, and how it ends."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import websockets
from fastapi import FastAPI

from glasswork.core import streams, tokens
from glasswork.features.realtime.service import Hub
from glasswork.features.sockets import service
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.files import make_attachment, put_file
from tests.factories.tracker import (
    make_api_token,
    make_comment,
    make_label,
    make_project,
    make_task,
    make_workspace,
)
from tests.streams import connected, talking, until

ID = "0193c0de-0000-7000-8000-000000000000"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def owner(committing_callers: Callers) -> Caller:
    return await committing_callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


def code_of(told: dict[str, Any]) -> str:
    assert told["type"] == "error"
    assert told["error"].keys() == {"code", "message", "details", "request_id"}
    code: str = told["error"]["code"]
    return code


class TestWhoMayTalk:
    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
    async def test_no_page_of_strangers(self, url: str, origin: str) -> None:
        with pytest.raises(websockets.InvalidStatus) as refusal:
            async with connected(url, origin=origin):
                pass
        answer = refusal.value.response
        assert (answer.status_code, json.loads(answer.body or b"")["error"]["code"]) == (
            403,
            "ORIGIN_REFUSED",
        )

    async def test_a_page_of_our_own_and_of_friends(
        self, url: str, committing_app: FastAPI, owner: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = committing_app.state.settings.model_copy(
            update={"cors_origins": ("https://good.example",)}
        )
        monkeypatch.setitem(committing_app.state._state, "settings", settings)  # noqa: SLF001 (no attribute)
        for origin in (url, "https://good.example"):
            async with connected(url, origin=origin) as client:
                assert (await client.ask("authenticate", token=owner.token))["type"] == "authenticated"

    async def test_no_host_that_nobody_gave_us(self, url: str) -> None:
        strange = url.replace("127.0.0.1", "evil.example")
        with pytest.raises(websockets.InvalidStatus) as refusal:
            async with connected(strange, host="127.0.0.1"):
                pass
        assert refusal.value.response.status_code == 400

    @pytest.mark.parametrize("token", ["", "x", "gwk_x", "eyJ.x.y"])
    async def test_nobody_without_a_token(self, url: str, token: str) -> None:
        async with connected(url) as client:
            assert code_of(await client.ask("authenticate", token=token)) == "INVALID_TOKEN"
            assert await client.code() == 4401

    async def test_nobody_who_has_logged_out(self, url: str, owner: Caller) -> None:
        await owner.post("/auth/logout")
        async with connected(url) as client:
            assert code_of(await client.ask("authenticate", token=owner.token)) == "SESSION_ENDED"
            assert await client.code() == 4401

    async def test_nobody_who_says_something_else_first(self, url: str, workspace: dict[str, Any]) -> None:
        async with connected(url) as client:
            told = await client.ask("subscribe", workspace_id=workspace["id"])
            assert code_of(told) == "BAD_MESSAGE"
            assert await client.code() == 4401

    async def test_nobody_who_says_nothing(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "FIRST_SECONDS", 0.1)
        async with connected(url) as client:
            assert await client.code() == 4401

    async def test_an_api_token_with_the_scope(self, url: str, owner: Caller) -> None:
        other = (await make_api_token(owner, "tasks:read"))["token"]
        right = (await make_api_token(owner, "changes:read"))["token"]
        async with connected(url) as client:
            assert code_of(await client.ask("authenticate", token=other)) == "MISSING_SCOPE"
        async with talking(url, right) as client:
            assert await client.ask("ping") == {"type": "pong"}

    async def test_not_more_at_a_time_than_their_share(
        self, url: str, owner: Caller, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hub, "settings", hub.settings.model_copy(update={"live_streams_per_user": 1}))
        async with talking(url, owner.token), connected(url) as client:
            assert code_of(await client.ask("authenticate", token=owner.token)) == "TOO_MANY_STREAMS"
            assert await client.code() == 4429


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "message",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"type": "otter"}',
            '{"type": "subscribe"}',
            '{"type": "ping", "more": 1}',
            '{"type": "subscribe", "task_id": "x"}',
            f'{{"type": "subscribe", "task_id": "{ID}", "project_id": "{ID}"}}',
            f'{{"type": "subscribe", "task_id": "{ID}", "after": -1}}',
            '"\\ud800"',
            b"bytes",
        ],
    )
    async def test_what_is_no_message(self, url: str, owner: Caller, message: str | bytes) -> None:
        async with talking(url, owner.token) as client:
            await client.socket.send(message)
            assert code_of(await client.next()) == "BAD_MESSAGE"
            assert await client.ask("ping") == {"type": "pong"}

    async def test_who_goes_on_so_is_closed(self, url: str, owner: Caller) -> None:
        async with talking(url, owner.token) as client:
            for _ in range(service.MAX_BAD + 1):
                await client.say("otter")
            assert await client.code() == 4400

    async def test_who_says_too_much_is_closed(
        self, url: str, owner: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "MAX_IN_MINUTE", 3)
        async with talking(url, owner.token) as client:
            for _ in range(3):
                assert await client.ask("ping") == {"type": "pong"}
            for _ in range(service.MAX_BAD + 1):
                await client.say("ping")
            assert await client.code() == 4400

    async def test_what_is_not_there_for_them(
        self, url: str, owner: Caller, committing_callers: Callers
    ) -> None:
        theirs = await make_workspace(owner)
        project = await make_project(owner, theirs)
        task = await make_task(owner, project)
        outsider = await committing_callers.user()
        async with talking(url, outsider.token) as client:
            for kind, thing in (("workspace", theirs), ("project", project), ("task", task)):
                for id_ in (thing["id"], str(uuid4())):
                    told = await client.ask("subscribe", **{f"{kind}_id": id_})
                    assert code_of(told) == f"{kind.upper()}_NOT_FOUND"

    async def test_what_cannot_be(self, url: str, owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "MAX_SUBSCRIPTIONS", 1)
        first, second = await make_workspace(owner), await make_workspace(owner)
        async with talking(url, owner.token) as client:
            told = await client.ask("subscribe", workspace_id=first["id"], after=3)
            assert code_of(told) == "AHEAD_OF_LOG"
            told = await client.ask("unsubscribe", subscription=f"workspace:{first['id']}")
            assert code_of(told) == "SUBSCRIPTION_NOT_FOUND"
            assert (await client.ask("subscribe", workspace_id=first["id"]))["type"] == "subscribed"
            assert code_of(await client.ask("subscribe", workspace_id=first["id"])) == "ALREADY_SUBSCRIBED"
            told = await client.ask("subscribe", workspace_id=second["id"])
            assert code_of(told) == "TOO_MANY_SUBSCRIPTIONS"


class TestSubscriptions:
    async def test_to_a_workspace_from_now_and_from_before(
        self, url: str, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        key = f"workspace:{workspace['id']}"
        async with talking(url, owner.token) as client:
            told = await client.ask("subscribe", workspace_id=workspace["id"])
            begun = {"type": "subscribed", "subscription": key, "workspace_id": workspace["id"], "seq": 2}
            assert told == begun
            await make_project(owner, workspace)
            told = await client.next()
            changes = (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
            assert told == {"type": "change", "subscription": key, "change": changes[2]}
            assert (await client.ask("unsubscribe", subscription=key))["type"] == "unsubscribed"
            await make_project(owner, workspace)
            assert (await client.ask("subscribe", workspace_id=workspace["id"], after=1))["seq"] == 1
            assert await client.changes(3) == [(key, 2), (key, 3), (key, 4)]

    async def test_to_a_task_and_what_belongs_to_it(
        self, url: str, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        project = await make_project(owner, workspace)
        task, other = await make_task(owner, project), await make_task(owner, project)
        async with talking(url, owner.token) as client:
            await client.ask("subscribe", task_id=task["id"])
            await owner.patch(f"/tasks/{other['id']}", {"title": "Another"})
            await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
            related = {"kind": "blocks", "task_id": task["id"]}
            relation = (await owner.post(f"/tasks/{other['id']}/relations", related)).json()
            await owner.delete(f"/tasks/{other['id']}/relations/{relation['id']}")
            comment = await make_comment(owner, task)
            await make_comment(owner, other)
            await owner.patch(f"/comments/{comment['id']}", {"body": "Another"})
            attachment = await make_attachment(owner, task)
            await put_file(owner, task, content=b"words")
            await owner.delete(f"/attachments/{attachment['id']}")
            await owner.delete(f"/tasks/{task['id']}")
            told = [(await client.next())["change"] for _ in range(9)]
        assert [each["type"] for each in told] == [
            *("task.updated", "relation.created", "relation.deleted", "comment.created", "comment.updated"),
            *("attachment.created", "attachment.updated", "attachment.deleted", "task.deleted"),
        ]
        assert told[0]["subject"]["id"] == told[-1]["subject"]["id"] == task["id"]

    async def test_to_a_project_and_what_belongs_to_it(
        self, url: str, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        project, other = await make_project(owner, workspace), await make_project(owner, workspace)
        elsewhere = await make_task(owner, other)
        async with talking(url, owner.token) as client:
            await client.ask("subscribe", project_id=project["id"])
            task = await make_task(owner, project)
            await owner.patch(f"/tasks/{elsewhere['id']}", {"title": "Another"})
            await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
            label = await make_label(owner, project)
            await owner.patch(f"/labels/{label['id']}", {"name": "another"})
            await owner.post(f"/tasks/{elsewhere['id']}/move", {"project_id": project["id"]})
            await owner.patch(f"/projects/{project['id']}", {"name": "Another"})
            told = [(await client.next())["change"] for _ in range(6)]
        assert [each["type"] for each in told] == [
            *("task.created", "task.updated", "label.created", "label.updated", "task.updated"),
            "project.updated",
        ]
        assert told[4]["subject"]["id"] == elsewhere["id"]

    async def test_to_projects_between_which_a_task_is_moved(
        self, url: str, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        old, new = await make_project(owner, workspace), await make_project(owner, workspace)
        task = await make_task(owner, old)
        async with talking(url, owner.token) as client:
            for project in (old, new):
                await client.ask("subscribe", project_id=project["id"])
            await owner.patch(f"/tasks/{task['id']}", {"title": "Before"})
            await owner.post(f"/tasks/{task['id']}/move", {"project_id": new["id"]})
            await owner.patch(f"/tasks/{task['id']}", {"title": "After"})
            told = await client.changes(4)
        before, after = f"project:{old['id']}", f"project:{new['id']}"
        assert sorted(told, key=lambda each: each[1]) == [(before, 6), (before, 7), (after, 7), (after, 8)]


class TestTheEnd:
    async def test_of_a_member(
        self, url: str, owner: Caller, workspace: dict[str, Any], committing_callers: Callers
    ) -> None:
        member = await committing_callers.member(workspace["id"], Role.MEMBER)
        async with talking(url, member.token) as client:
            await client.ask("subscribe", workspace_id=workspace["id"])
            await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
            assert await client.code() == 4404

    async def test_of_a_session(self, url: str, owner: Caller, workspace: dict[str, Any]) -> None:
        async with talking(url, owner.token) as client:
            await client.ask("subscribe", workspace_id=workspace["id"])
            await owner.post("/auth/logout")
            assert await client.code() == 4401

    async def test_of_an_access_token(
        self, url: str, committing_callers: Callers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short = timedelta(seconds=1 - tokens.CLOCK_SKEW_SECONDS)
        monkeypatch.setattr(tokens, "ACCESS_TOKEN_LIFETIME", short)
        async with talking(url, (await committing_callers.user()).token) as client:
            assert await client.code() == 4401

    async def test_of_who_does_not_read(
        self,
        url: str,
        owner: Caller,
        workspace: dict[str, Any],
        hub: Hub,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(streams, "MAX_BYTES", 100_000)
        project = await make_project(owner, workspace)
        async with connected(url, max_queue=1, compression=None) as client:
            await client.ask("authenticate", token=owner.token)
            await client.ask("subscribe", workspace_id=workspace["id"])
            made = 0
            while hub.streams:
                await make_task(owner, project, description="x" * 50_000)
                made += 1
                assert made < 1000
            assert await client.code() in {1006, 1013}

    async def test_of_the_server(
        self, url: str, owner: Caller, workspace: dict[str, Any], hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with talking(url, owner.token) as client:
            await client.ask("subscribe", workspace_id=workspace["id"])
            monkeypatch.setattr(hub, "_is_ending", False)
            hub.end()
            assert await client.code() == 1012

    async def test_of_a_client_is_noticed(self, url: str, owner: Caller, hub: Hub) -> None:
        async with talking(url, owner.token):
            assert hub.streams == 1
        await until(lambda: not hub.streams)
        await asyncio.sleep(0)
