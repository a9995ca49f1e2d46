"""PostgreSQL lets a transaction write in the workspaces of whom it acts for, whatever its statements say."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor, Scope, TokenUse
from glasswork.core.database_checks import tell_of_bypass
from glasswork.core.db import Database, create_engine
from glasswork.core.errors import NotFoundError
from glasswork.core.row_security import settings_of, why_bypassed
from tests.databases import OWNER, PASSWORD, Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio

INSERT = text(
    "INSERT INTO labels (workspace_id, id, name, color, description, version)"
    " VALUES (:workspace_id, :id, :name, '', '', 1)"
)
RENAME = text("UPDATE projects SET name = 'Mine now' WHERE id = :project_id RETURNING id")
DELETE = text("DELETE FROM projects WHERE id = :project_id RETURNING id")
LOCK = text("SELECT id FROM projects WHERE id = :project_id FOR UPDATE")
UNPROTECTED = """
    SELECT string_agg(relname, ', ') FROM pg_class
    WHERE relkind IN ('r', 'p') AND (relname = 'workspaces' OR EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'workspace_id'
    )) AND NOT (relrowsecurity AND ARRAY['a', 'd', 'r', 'w']::"char"[] <@ ARRAY(
        SELECT polcmd FROM pg_policy WHERE polrelid = pg_class.oid
    ))
"""
VIEWS = """
    SELECT string_agg(relname, ', ') FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('v', 'm') AND nspname IN ('public', 'jobs')
    AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)
"""


@dataclass(frozen=True)
class Place:
    """A workspace, and who are in it."""

    owner: Caller
    workspace_id: UUID
    project_id: UUID

    @classmethod
    async def make(cls, callers: Callers) -> "Place":
        owner = await callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        return cls(owner, UUID(workspace["id"]), UUID(project["id"]))

    async def add_label(self, session: AsyncSession) -> None:
        values = {"workspace_id": self.workspace_id, "id": uuid7(), "name": str(uuid7())}
        await session.execute(INSERT, values)

    async def changed(self, session: AsyncSession) -> list[str]:
        """Return which statements without a condition of their own have found the project."""
        found = {"lock": LOCK, "update": RENAME, "delete": DELETE}
        return [
            name
            for name, statement in found.items()
            if (await session.execute(statement, {"project_id": self.project_id})).all()
        ]


@pytest.fixture
async def place(callers: Callers) -> Place:
    return await Place.make(callers)


async def strangers(callers: Callers, place: Place) -> dict[str, Actor | None]:
    member = await callers.member(place.workspace_id)
    async with callers.database.system_transaction() as session:
        left = text("UPDATE memberships SET removed_at = now() - interval '1 s' WHERE user_id = :id")
        await session.execute(left, {"id": member.id})
    elsewhere = await make_workspace(place.owner)
    token = await make_api_token(place.owner, "tasks:write", workspace_id=elsewhere["id"])
    return {
        "nobody": None,
        "outsider": (await callers.user()).actor,
        "ex-member": member.actor,
        "token for another workspace": with_token(place.owner, token),
    }


def with_token(owner: Caller, token: dict[str, Any]) -> Actor:
    return Actor(owner.id, UUID(token["id"]), TokenUse("", Scope.TASKS_WRITE))


class TestAStranger:
    async def test_inserts_nothing(self, callers: Callers, place: Place) -> None:
        for who, actor in (await strangers(callers, place)).items():
            with pytest.raises(NotFoundError) as refused:
                async with callers.database.transaction(actor) as session:
                    await place.add_label(session)
            assert isinstance(refused.value.__cause__, DBAPIError), who
            assert getattr(refused.value.__cause__.orig, "sqlstate", None) == "42501", who

    async def test_locks_changes_and_deletes_nothing(self, callers: Callers, place: Place) -> None:
        for who, actor in (await strangers(callers, place)).items():
            async with callers.database.transaction(actor) as session:
                assert await place.changed(session) == [], who

    async def test_takes_nothing_along(self, callers: Callers, place: Place) -> None:
        """A row of one's own cannot be moved into a workspace of others."""
        mine = await Place.make(callers)
        moved = text("UPDATE event_counters SET workspace_id = :theirs WHERE workspace_id = :mine")
        emptied = text("DELETE FROM event_counters WHERE workspace_id = :theirs")
        ids = {"theirs": place.workspace_id, "mine": mine.workspace_id}
        async with callers.database.system_transaction() as session:
            await session.execute(emptied, ids)
        with pytest.raises(NotFoundError):
            async with callers.database.transaction(mine.owner.actor) as session:
                await session.execute(moved, ids)


class TestWhoBelongsThere:
    async def test_a_member_writes(self, callers: Callers, place: Place) -> None:
        async with callers.database.transaction(place.owner.actor) as session:
            await place.add_label(session)
            assert await place.changed(session) == ["lock", "update", "delete"]

    @pytest.mark.parametrize("is_kept", [False, True])
    async def test_a_token_of_a_member_writes(self, callers: Callers, place: Place, is_kept: bool) -> None:
        kept = {"workspace_id": str(place.workspace_id)} if is_kept else {}
        actor = with_token(place.owner, await make_api_token(place.owner, "tasks:write", **kept))
        async with callers.database.transaction(actor) as session:
            await place.add_label(session)
            assert await place.changed(session) == ["lock", "update", "delete"]

    async def test_who_leaves_does_until_the_commit(self, callers: Callers, place: Place) -> None:
        member = await callers.member(place.workspace_id)
        left = await member.delete(f"/workspaces/{place.workspace_id}/members/{member.id}")
        assert left.status_code == 204
        changes = (await place.owner.get(f"/workspaces/{place.workspace_id}/changes")).json()["items"]
        assert changes[-1]["type"] == "member.deleted"

    async def test_the_system_writes_everywhere(self, callers: Callers, place: Place) -> None:
        async with callers.database.system_transaction() as session:
            await place.add_label(session)
            assert await place.changed(session) == ["lock", "update", "delete"]


class TestSettings:
    def test_take_no_text(self) -> None:
        with pytest.raises(AttributeError):
            settings_of(Actor("'; SET ROLE postgres; --", uuid7()))  # type: ignore[arg-type]
        actor = Actor(uuid7(), uuid7())
        assert settings_of(actor) == f"SET LOCAL glasswork.user_id = '{actor.user_id.hex}';"

    async def test_end_with_their_transaction(self, committing_callers: Callers) -> None:
        places = [await Place.make(committing_callers) for _ in range(5)]
        url = committing_callers.database.engine.url.render_as_string(hide_password=False)
        engine = create_engine(url, pool_size=3)
        database = Database(engine)
        reached = text("SELECT workspace_id FROM projects FOR UPDATE SKIP LOCKED")

        async def look(number: int) -> None:
            place = places[number % len(places)]
            match number % 4:
                case 0:
                    async with database.transaction() as session:
                        assert (await session.scalars(reached)).all() == []
                case 1:
                    async with database.reading() as session:
                        told = text("SELECT coalesce(current_setting('glasswork.user_id', true), '')")
                        assert (await session.scalars(told)).one() == ""
                case 2:
                    async with database.transaction(place.owner.actor) as session:
                        assert {*(await session.scalars(reached)).all()} <= {place.workspace_id}
                case _:
                    with pytest.raises(NotFoundError):
                        async with database.transaction(place.owner.actor) as session:
                            await places[number % len(places) - 1].add_label(session)

        await asyncio.gather(*(look(number) for number in range(200)))
        await engine.dispose()

    async def test_are_looked_at_once_a_statement(self, callers: Callers, place: Place) -> None:
        for _ in range(20):
            await make_task(place.owner, {"id": place.project_id})
        explained = text("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) UPDATE tasks SET title = 'Same'")
        async with callers.database.transaction(place.owner.actor) as session:
            plan = (await session.scalars(explained)).all()
        once = [line for line in plan if "actor_workspaces" not in line and "Result" in line]
        assert "SubPlan" not in "\n".join(plan)
        assert {line.partition("loops=")[2] for line in once if "loops" in line} == {"1)"}, plan
        assert any("rows=20" in line for line in plan)


class TestTheSchema:
    async def test_protects_every_table_of_a_workspace(self, server: Server) -> None:
        async with server.clone() as name:
            assert await server.fetch(UNPROTECTED, database=name) is None
            assert await server.fetch(VIEWS, database=name) is None

    @pytest.mark.parametrize(
        ("harm", "found"),
        [
            ("DROP POLICY updates ON tasks", "tasks"),
            ("ALTER TABLE relations DISABLE ROW LEVEL SECURITY", "relations"),
            ("CREATE TABLE notes (workspace_id uuid)", "notes"),
        ],
    )
    async def test_that_does_not_is_noticed(self, server: Server, harm: str, found: str) -> None:
        async with server.clone() as name:
            await server.execute(harm, role=OWNER, database=name)
            assert await server.fetch(UNPROTECTED, database=name) == found

    async def test_a_view_with_the_rights_of_its_owner_is_noticed(self, server: Server) -> None:
        async with server.clone() as name:
            for view, options in (("mine", ""), ("yours", "WITH (security_invoker)")):
                view_of_all = f"CREATE VIEW {view} {options} AS SELECT * FROM tasks"
                await server.execute(view_of_all, role=OWNER, database=name)
            assert await server.fetch(VIEWS, database=name) == "mine"


class TestTheServingRole:
    async def test_is_held_by_the_policies(self, callers: Callers) -> None:
        async with callers.database.reading() as session:
            assert await why_bypassed(await session.connection()) is None

    @pytest.mark.usefixtures("app")
    @pytest.mark.parametrize(
        ("attribute", "reason"),
        [
            ("SUPERUSER", "is a superuser"),
            ("BYPASSRLS", "has BYPASSRLS"),
            (f"IN ROLE {OWNER}", "owns the tables"),
        ],
    )
    async def test_that_is_not_is_told_of(
        self, server: Server, caplog: pytest.LogCaptureFixture, attribute: str, reason: str
    ) -> None:
        caplog.set_level("WARNING")
        role = f"glasswork_test_{uuid7().hex[-8:]}"
        async with server.clone() as name:
            await server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' {attribute}")
            try:
                engine = create_engine(server.url(role, name), pool_size=1)
                await tell_of_bypass(Database(engine))
                await engine.dispose()
            finally:
                await server.execute(f"DROP ROLE {role}")
        assert f"the serving role {reason}" in caplog.text
