"""What a stream tells, from where, and to whom."""

import asyncio
import socket
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from glasswork.core import streams, tokens
from glasswork.features.realtime import router, service
from glasswork.features.realtime.service import Hub
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_task, make_workspace
from tests.streams import Events, following, until

pytestmark = pytest.mark.anyio


async def ask(caller: Caller, workspace_id: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await caller.request("GET", f"/workspaces/{workspace_id}/events", headers=headers)
    return answer.status_code, answer.json()["error"]


async def feed(caller: Caller, workspace: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
    return items


async def test_it_tells_each_change_as_the_feed_does(committing_callers: Callers, url: str) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    async with following(url, owner.token, workspace["id"]) as events:
        assert events.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.response.headers["cache-control"] == "no-store"
        assert events.response.headers["x-accel-buffering"] == "no"
        ready = await events.next()
        assert (ready.type, ready.id, ready.data) == ("ready", 2, {"seq": 2})
        await make_task(owner, await make_project(owner, workspace), title="One\r\nline\u2028")
        told = await events.take(2)
    assert [event.type for event in told] == ["project.created", "task.created"]
    assert [event.id for event in told] == [3, 4]
    assert [event.data for event in told] == (await feed(owner, workspace))[2:]


class TestWhoMayFollow:
    async def test_nobody_without_a_token(self, committing_callers: Callers) -> None:
        workspace = await make_workspace(await committing_callers.user())
        path = f"/api/v1/workspaces/{workspace['id']}/events"
        answer = await committing_callers.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_TOKEN")

    async def test_an_outsider_is_told_that_there_is_none(self, committing_callers: Callers) -> None:
        workspace = await make_workspace(await committing_callers.user())
        status, error = await ask(await committing_callers.user(), workspace["id"])
        assert (status, error["code"]) == (404, "WORKSPACE_NOT_FOUND")

    @pytest.mark.parametrize("seen", ["x", "-1", "1.5", "", "1" * 19])
    async def test_an_id_of_another_shape_is_refused(self, committing_callers: Callers, seen: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        assert (await ask(owner, workspace["id"], last_event_id=seen))[0] == 422

    async def test_who_has_seen_what_is_not_there_is_told_so(self, committing_callers: Callers) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        status, error = await ask(owner, workspace["id"], last_event_id="3")
        assert (status, error["code"], error["details"]) == (409, "AHEAD_OF_LOG", {"last_seq": 2})

    async def test_a_token_without_the_scope_is_refused(self, committing_callers: Callers, url: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        path = f"{url}/api/v1/workspaces/{workspace['id']}/events"
        other = (await make_api_token(owner, "tasks:read"))["token"]
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {other}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "MISSING_SCOPE")
        token = (await make_api_token(owner, "changes:read"))["token"]
        async with following(url, token, workspace["id"]) as events:
            assert (await events.next()).type == "ready"

    async def test_nobody_has_more_than_their_share(
        self, committing_callers: Callers, url: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hub, "settings", hub.settings.model_copy(update={"live_streams_per_user": 1}))
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        member = await committing_callers.member(workspace["id"])
        async with following(url, owner.token, workspace["id"]):
            status, error = await ask(owner, workspace["id"])
            assert (status, error["code"]) == (429, "TOO_MANY_STREAMS")
            async with following(url, member.token, workspace["id"]) as events:
                await events.next()
        await until(lambda: not hub.streams)
        async with following(url, owner.token, workspace["id"]) as events:
            await events.next()

    async def test_a_process_has_its_limit_too(
        self, committing_callers: Callers, url: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hub, "settings", hub.settings.model_copy(update={"live_streams": 1}))
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        async with following(url, owner.token, workspace["id"]):
            status, error = await ask(await committing_callers.member(workspace["id"]), workspace["id"])
        assert (status, error["code"]) == (503, "STREAMS_EXHAUSTED")


class TestRights:
    async def test_invitations_are_for_admins(self, committing_callers: Callers, url: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        member = await committing_callers.member(workspace["id"], Role.MEMBER)
        async with (
            following(url, owner.token, workspace["id"]) as all_,
            following(url, member.token, workspace["id"]) as some,
        ):
            await all_.next(), await some.next()
            invited = {"email": "new@example.com", "role": "viewer"}
            await owner.post(f"/workspaces/{workspace['id']}/invitations", invited)
            await make_project(owner, workspace)
            assert [each.type for each in await all_.take(2)] == ["invitation.created", "project.created"]
            assert (await some.next()).type == "project.created"
            await owner.patch(f"/workspaces/{workspace['id']}/members/{member.id}", {"role": "admin"})
            assert (await some.next()).type == "member.updated"
            await owner.post(
                f"/workspaces/{workspace['id']}/invitations", {**invited, "email": "b@example.com"}
            )
            assert (await some.next()).type == "invitation.created"

    async def test_who_comes_back_is_told_what_they_may_see_now(
        self, committing_callers: Callers, url: str
    ) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        member = await committing_callers.member(workspace["id"], Role.MEMBER)
        await owner.post(
            f"/workspaces/{workspace['id']}/invitations", {"email": "new@example.com", "role": "viewer"}
        )
        await make_project(owner, workspace)
        async with following(url, member.token, workspace["id"], after=0) as events:
            types = [each.type for each in await events.take(4)]
        assert types == ["ready", "workspace.created", "member.created", "project.created"]

    async def end_of(self, events: Events) -> float:
        """Return how long it took; nothing was told any more."""
        began = asyncio.get_running_loop().time()
        assert await events.rest() == []
        return asyncio.get_running_loop().time() - began

    async def test_a_removed_member_hears_no_more(self, committing_callers: Callers, url: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        member = await committing_callers.member(workspace["id"])
        async with (
            following(url, member.token, workspace["id"]) as events,
            following(url, owner.token, workspace["id"]) as others,
        ):
            await events.next(), await others.next()
            await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
            await make_project(owner, workspace)
            await self.end_of(events)
            assert [each.type for each in await others.take(2)] == ["member.deleted", "project.created"]

    async def test_nor_does_anybody_of_a_deleted_workspace(
        self, committing_callers: Callers, url: str
    ) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        async with following(url, owner.token, workspace["id"]) as events:
            await events.next()
            assert (await owner.delete(f"/workspaces/{workspace['id']}")).status_code == 204
            await self.end_of(events)

    async def test_nor_who_has_logged_out(self, committing_callers: Callers, url: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        member = await committing_callers.member(workspace["id"])
        async with (
            following(url, member.token, workspace["id"]) as events,
            following(url, owner.token, workspace["id"]) as others,
        ):
            await events.next(), await others.next()
            assert (await member.post("/auth/logout")).status_code == 204
            await self.end_of(events)
            await make_project(owner, workspace)
            assert (await others.next()).type == "project.created"

    async def test_nor_a_revoked_token(self, committing_callers: Callers, url: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        token = await make_api_token(owner, "changes:read")
        async with following(url, token["token"], workspace["id"]) as events:
            await events.next()
            assert (await owner.delete(f"/auth/api-tokens/{token['id']}")).status_code == 204
            await self.end_of(events)

    async def test_nor_an_access_token_that_is_too_old(
        self, committing_callers: Callers, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short = timedelta(seconds=1 - tokens.CLOCK_SKEW_SECONDS)
        monkeypatch.setattr(tokens, "ACCESS_TOKEN_LIFETIME", short)
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        async with following(url, owner.token, workspace["id"]) as events:
            await events.next()
            await self.end_of(events)


class TestComingBack:
    async def test_from_what_was_kept_and_from_the_log(self, committing_callers: Callers, url: str) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        async with following(url, owner.token, workspace["id"]) as first:
            await first.next()
            for _ in range(3):
                await make_task(owner, project)
            assert [each.id for each in await first.take(3)] == [4, 5, 6]
            for after in (5, 3, 2, 0):  # of the last two not all is kept
                async with following(url, owner.token, workspace["id"], after=after) as again:
                    told = await again.take(1 + 6 - after)
                assert [each.id for each in told] == [after, *range(after + 1, 7)]

    async def test_from_far_behind(
        self, committing_callers: Callers, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "PAGE", 2)
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        for _ in range(4):
            await make_task(owner, project)
        async with following(url, owner.token, workspace["id"], after=0) as events:
            assert [each.id for each in await events.take(8)] == [0, *range(1, 8)]
            await make_task(owner, project)
            assert (await events.next()).id == 8

    async def test_what_nobody_tells_of_is_found_all_the_same(
        self, committing_app: FastAPI, committing_callers: Callers, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(committing_app.state.database, "_tell", lambda _: None)
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        async with following(url, owner.token, workspace["id"]) as events:
            await events.next()
            await make_project(owner, workspace)
            assert (await events.next()).type == "project.created"


async def test_who_hears_nothing_is_told_that_somebody_is_there(
    committing_callers: Callers, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "HEARTBEAT_SECONDS", 0.05)
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    async with following(url, owner.token, workspace["id"]) as events:
        await events.next()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await events.next()
    assert len(events.comments) > 1
    assert set(events.comments) == {": ping"}


async def test_open_streams_hold_no_connection(
    committing_app: FastAPI, committing_callers: Callers, url: str, hub: Hub
) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    pool: Any = committing_app.state.database.engine.pool
    async with (
        following(url, owner.token, workspace["id"]) as first,
        following(url, owner.token, workspace["id"]) as second,
    ):
        await first.next(), await second.next()
        await until(lambda: pool.checkedout() == 0)
        await make_project(owner, workspace)
        await first.next(), await second.next()
        await until(lambda: pool.checkedout() == 0)
        assert hub.streams == 2
    await until(lambda: not hub.streams)
    assert not hub._rooms  # noqa: SLF001 (nobody else asks how many there are)


@pytest.mark.slow
async def test_a_slow_reader_is_cut_off_and_misses_nothing(
    committing_callers: Callers, url: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES", 100_000)
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", httpx2.URL(url).port or 0))
        asked = f"GET /api/v1/workspaces/{workspace['id']}/events HTTP/1.1\r\nHost: localhost\r\n"
        reader.sendall(f"{asked}Authorization: Bearer {owner.token}\r\n\r\n".encode())
        await until(lambda: hub.streams == 1)
        made = 0
        while hub.streams:  # it takes nothing, until all that lies between is full
            await make_task(owner, project, description="x" * 50_000)
            made += 1
            assert made < 1000
        lines = await asyncio.to_thread(lambda: list(reader.makefile("rb")))
    seen = max(int(line[4:]) for line in lines if line.startswith(b"id: "))
    assert 3 <= seen < 3 + made
    async with following(url, owner.token, workspace["id"], after=seen) as events:
        told = await events.take(1 + 3 + made - seen)
    assert [each.id for each in told] == list(range(seen, 3 + made + 1))
