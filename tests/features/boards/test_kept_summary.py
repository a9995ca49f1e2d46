"""A summary that is kept is never another one than the database would give, and never for others."""

from asyncio import gather, sleep, timeout
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from glasswork.app import create_app
from glasswork.core import cache
from glasswork.core.db import Database
from glasswork.core.read_connections import ReadConnections
from glasswork.features.boards.repository import ALL, BoardRepository
from glasswork.features.workspaces.models import Role
from tests.conftest import make_client, make_settings
from tests.databases import SERVING, Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.redis_server import RedisServer, needs_redis

from .test_summary import EAST, WEST, summary_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(committing_callers: Callers) -> Database:
    return committing_callers.database


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


@contextmanager
def summaries_made() -> Iterator[list[str]]:
    """Yield the statements that count tasks."""
    sent: list[str] = []
    fetch = ReadConnections.fetch

    async def note(self: ReadConnections, sql: str, *arguments: Any) -> Any:
        if "GROUPING SETS" in sql:
            sent.append(sql)
        return await fetch(self, sql, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReadConnections, "fetch", note)
        yield sent


async def kept_in(app: FastAPI) -> int:
    """Values, and lists of them."""
    memory = app.state.cache._memory  # noqa: SLF001 (nothing else tells)
    return 0 if memory is None else await memory.get_keys_count()


class TestRefusals:
    async def test_outsiders_do_not_see_what_is_kept(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        outsider = await callers.user()
        with summaries_made() as made:
            await summary_of(owner, project)
            await summary_of(owner, project)
        assert len(made) == 1
        assert (await outsider.get(f"/projects/{project['id']}/summary")).status_code == 404

    async def test_nor_does_who_was_a_member_a_moment_ago(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        member = await callers.member(workspace["id"], Role.MEMBER)
        await summary_of(member, project)
        await summary_of(member, project)
        async with callers.database.system_transaction() as session:  # no event tells of it
            statement = text("DELETE FROM memberships WHERE user_id = :id")
            await session.execute(statement, {"id": member.id})
        assert (await member.get(f"/projects/{project['id']}/summary")).status_code == 404
        await summary_of(owner, project)

    async def test_nor_who_has_signed_out(self, owner: Caller, project: dict[str, Any]) -> None:
        await summary_of(owner, project)
        await summary_of(owner, project)
        assert (await owner.post("/auth/logout")).status_code == 204
        assert (await owner.get(f"/projects/{project['id']}/summary")).status_code == 401

    async def test_nor_is_a_project_shown_that_is_deleted(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        await summary_of(owner, project)
        assert (await owner.delete(f"/projects/{project['id']}")).status_code == 204
        assert (await owner.get(f"/projects/{project['id']}/summary")).status_code == 404


class TestChanges:
    async def test_are_seen_at_once(self, owner: Caller, project: dict[str, Any]) -> None:
        counts = [(await summary_of(owner, project))["count"]]
        task = await make_task(owner, project)
        counts.append((await summary_of(owner, project))["count"])
        await owner.put(f"/tasks/{task['id']}/completion")
        done = await summary_of(owner, project)
        counts.append(done["count"])
        assert (done["open"], done["by_category"]["done"]) == (0, 1)
        await owner.delete(f"/tasks/{task['id']}")
        counts.append((await summary_of(owner, project))["count"])
        assert counts == [0, 1, 1, 0]

    async def test_free_what_was_kept(
        self, committing_app: FastAPI, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        other = await make_project(owner, workspace, key="OTHER")
        before = await kept_in(committing_app)
        await summary_of(owner, project)
        await summary_of(owner, other)
        assert await kept_in(committing_app) == before + 3
        await make_task(owner, project)
        async with timeout(20):
            while await kept_in(committing_app) > before + 1:
                await sleep(0.01)

    async def test_elsewhere_make_nothing_anew(self, owner: Caller, project: dict[str, Any]) -> None:
        elsewhere = await make_project(owner, await make_workspace(owner))
        await summary_of(owner, project)
        await make_task(owner, elsewhere)
        with summaries_made() as made:
            await summary_of(owner, project)
        assert made == []

    async def test_each_time_zone_has_its_own(self, owner: Caller, project: dict[str, Any]) -> None:
        """They are 25 hours apart: of the first and the last minutes of a day here one is of today there."""
        now = datetime.now(ZoneInfo(EAST))
        for hour, minute in ((0, 10), (23, 50)):
            await make_task(owner, project, due_at=now.replace(hour=hour, minute=minute).isoformat())
        with summaries_made() as made:
            due = [
                (await summary_of(owner, project, time_zone=zone))["due_today"] for zone in (EAST, WEST) * 2
            ]
        assert (len(made), due) == (2, [2, 1, 2, 1])


class TestTime:
    async def test_makes_tasks_overdue_without_a_change(self, owner: Caller, project: dict[str, Any]) -> None:
        due = datetime.now(UTC) + timedelta(seconds=1)
        await make_task(owner, project, due_at=due.isoformat())
        async with timeout(20):
            overdue = 0
            while not overdue:
                began = datetime.now(UTC)
                overdue = (await summary_of(owner, project))["overdue"]
                assert overdue == 1 or began <= due
                await sleep(0.01)
        assert datetime.now(UTC) > due

    async def test_ends_the_day(self, database: Database, workspace: dict[str, Any]) -> None:
        """In a zone in which midnight is 20 seconds away."""
        async with database.reading() as session:
            now = (await session.execute(text("SELECT now()"))).scalar_one()
            ahead = timedelta(hours=23, minutes=59, seconds=40) - timedelta(
                hours=now.hour, minutes=now.minute, seconds=now.second
            )
            sign, ahead = ("-", ahead) if ahead >= timedelta() else ("+", -ahead)
            rows = await BoardRepository(session).summary(
                UUID(workspace["id"]), UUID(workspace["id"]), f"X{sign}{ahead}"
            )
        (everything,) = rows[ALL]
        assert timedelta() < everything.until - now <= timedelta(seconds=20)

    async def test_ends_what_is_kept_after_a_minute(
        self, database: Database, project: dict[str, Any]
    ) -> None:
        async with database.reading() as session:
            now = (await session.execute(text("SELECT now()"))).scalar_one()
            ids = UUID(project["workspace_id"]), UUID(project["id"])
            (everything,) = (await BoardRepository(session).summary(*ids, "Etc/GMT+5"))[ALL]
        assert everything.until - now <= timedelta(seconds=cache.KEPT_SECONDS + 20)


async def test_many_at_once_are_one_statement(owner: Caller, project: dict[str, Any]) -> None:
    await make_task(owner, project)
    with summaries_made() as made:
        answers = await gather(*(summary_of(owner, project) for _ in range(100)))
    assert len(made) == 1
    assert {answer["count"] for answer in answers} == {1}


@dataclass
class Process:
    app: FastAPI
    callers: Callers

    def of(self, caller: Caller) -> Caller:
        """The same person, who asks this process."""
        return Caller(self.callers.client, caller.actor, caller.email, caller.username, caller.token)


@asynccontextmanager
async def process(server: Server, database: str, redis_url: str | None = None) -> AsyncIterator[Process]:
    redis = None if redis_url is None else SecretStr(redis_url)
    app = create_app(make_settings(server.url(SERVING, database), redis_url=redis))
    async with app.router.lifespan_context(app), make_client(app) as client:
        yield Process(app, Callers(client, app.state.database, app.state.keys))


async def write_in_turns(one: Process, other: Process) -> None:
    """What one of them keeps, the other changes."""
    owner = await one.callers.user()
    project = await make_project(owner, await make_workspace(owner))
    for count in range(4):
        both = [await summary_of(process.of(owner), project) for process in (one, other)]
        assert both[0] == both[1]
        assert both[0]["count"] == count
        await make_task((one, other)[count % 2].of(owner), project)


@pytest.mark.slow
class TestProcesses:
    async def test_see_what_others_change(self, server: Server) -> None:
        async with (
            server.used_clone() as database,
            process(server, database) as one,
            process(server, database) as other,
        ):
            await write_in_turns(one, other)

    async def test_free_what_others_changed(self, server: Server) -> None:
        async with (
            server.used_clone() as database,
            process(server, database) as one,
            process(server, database) as other,
        ):
            owner = await one.callers.user()
            project = await make_project(owner, await make_workspace(owner))
            await summary_of(owner, project)
            assert await kept_in(one.app) == 2
            async with timeout(20):
                while await kept_in(one.app) == 2:
                    await make_task(other.of(owner), project)
                    await sleep(0.05)

    @needs_redis
    async def test_share_redis_and_do_without(self, server: Server, tmp_path: Path) -> None:
        with pytest.MonkeyPatch.context() as patch, RedisServer(tmp_path) as redis:
            patch.setattr(cache, "WAIT_SECONDS", 5)
            async with (
                server.used_clone() as database,
                process(server, database, redis.url) as one,
                process(server, database, redis.url) as other,
                process(server, database) as alone,
            ):
                owner = await one.callers.user()
                project = await make_project(owner, await make_workspace(owner))
                first = await summary_of(owner, project)
                async with timeout(20):
                    while not any(key.startswith("glasswork:cache:summary") for key in redis.stored()):
                        await sleep(0.01)
                with summaries_made() as made:
                    assert await summary_of(other.of(owner), project) == first
                assert made == []
                assert await summary_of(alone.of(owner), project) == first
                await write_in_turns(one, other)
                await write_in_turns(one, alone)
                redis.end()
                await write_in_turns(one, other)
