from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.errors import (
    AppError,
    AuthenticationError,
    ConflictError,
    ServiceUnavailableError,
    TransientError,
    ValidationError,
)
from glasswork.core.telemetry.exceptions import describe
from glasswork.features.accounts.models import User
from tests.conftest import make_client
from tests.databases import OWNER, Server
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


async def run(database: Database, *statements: str, **values: Any) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement), values)


async def add_users(database: Database, *usernames: str, then: Exception | None = None) -> None:
    async with database.transaction() as session:
        for username in usernames:
            email = "ada@example.com"
            session.add(User(id=uuid7(), email=email, username=username, name="Ada", password_hash=""))
        await session.flush()
        if then:
            raise then


async def count_users(database: Database) -> int:
    async with database.reading() as session:
        count: int = (await session.execute(text("SELECT count(*) FROM users"))).scalar_one()
        return count


async def refuse_commits(server: Server, app: FastAPI) -> None:
    """Let COMMIT fail, and nothing before it."""
    await server.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not committed'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse();
        """,
        role=OWNER,
        database=make_url(app.state.settings.database_url.get_secret_value()).database,
    )


class TestTransaction:
    @pytest.mark.alone
    async def test_stores_all_or_nothing(self, database: Database) -> None:
        with pytest.raises(KeyError):
            await add_users(database, "ada", then=KeyError())
        assert await count_users(database) == 0
        await add_users(database, "ada")
        assert await count_users(database) == 1

    @pytest.mark.alone
    @pytest.mark.parametrize("keeps", [False, True])
    async def test_a_refusal_keeps_changes_only_if_it_says_so(
        self, database: Database, *, keeps: bool
    ) -> None:
        class RefusedError(AuthenticationError):
            keeps_changes = keeps

        with pytest.raises(RefusedError):
            await add_users(database, "ada", then=RefusedError("No."))
        assert await count_users(database) == keeps

    async def test_a_commit_that_fails_is_never_a_success(self, own_app: FastAPI, server: Server) -> None:
        await refuse_commits(server, own_app)
        body = {"email": "a@example.com", "username": "ada", "name": "Ada", "password": "tremendous otter 77"}
        async with make_client(own_app) as client:
            response = await client.post("/api/v1/auth/register", json=body)
        assert response.status_code == 500
        assert response.json()["error"]["code"] == "INTERNAL_ERROR"
        assert await count_users(own_app.state.database) == 0


class TestSnapshot:
    async def test_it_sees_one_moment_and_writes_nothing(
        self, committing_app: FastAPI, committing_callers: Callers
    ) -> None:
        database, users = committing_app.state.database, text("SELECT count(*) FROM users")
        await committing_callers.user()
        async with database.snapshot() as session:
            before = (await session.scalars(users)).one()
            await committing_callers.user()
            assert (await session.scalars(users)).one() == before
            assert await count_users(database) == before + 1
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await session.execute(text("UPDATE users SET name = 'Ada'"))


class TestRefusals:
    """What the database refuses, as the caller is told it."""

    @pytest.mark.parametrize(
        ("state", "refusal"),
        [
            ("23505", ConflictError),
            ("23503", ConflictError),
            ("23P01", ConflictError),
            ("22001", ValidationError),
            ("22003", ValidationError),
            ("22021", ValidationError),
            ("54000", ValidationError),
            ("08006", TransientError),
            ("40000", ServiceUnavailableError),
            ("40001", TransientError),
            ("40003", ServiceUnavailableError),
            ("40P01", TransientError),
            ("53100", ServiceUnavailableError),
            ("53300", ServiceUnavailableError),
            ("55P03", TransientError),
            ("57014", ServiceUnavailableError),
            ("57P01", TransientError),
            ("57P02", TransientError),
            ("57P03", ServiceUnavailableError),
        ],
    )
    async def test_are_told_by_their_state(
        self, database: Database, state: str, refusal: type[AppError]
    ) -> None:
        with pytest.raises(refusal) as caught:
            await run(database, f"DO $$ BEGIN RAISE EXCEPTION 'otter' USING ERRCODE = '{state}'; END $$")
        assert type(caught.value) is refusal
        assert "otter" not in caught.value.message
        assert describe(caught.value)["sqlstate"] == state

    @pytest.mark.parametrize("state", ["23502", "23514", "42501", "42P01", "0A000", "P0001", "XX000"])
    async def test_that_are_our_fault_are_left_alone(self, database: Database, state: str) -> None:
        with pytest.raises(DBAPIError, match="otter"):
            await run(database, f"DO $$ BEGIN RAISE EXCEPTION 'otter' USING ERRCODE = '{state}'; END $$")

    async def test_an_undefined_table_is_our_fault(self, database: Database) -> None:
        with pytest.raises(DBAPIError, match='relation "otters" does not exist'):
            await run(database, "SELECT * FROM otters")

    async def test_a_double_is_a_conflict(self, database: Database) -> None:
        with pytest.raises(ConflictError):
            await add_users(database, "ada", "ada2")

    @pytest.mark.parametrize("value", ["a\0b", "\ud800"], ids=ascii)
    async def test_text_that_cannot_be_stored_is_not_valid(self, database: Database, value: str) -> None:
        with pytest.raises(ValidationError):
            await run(database, "SELECT CAST(:value AS text)", value=value)

    async def test_a_slow_statement_is_given_up(self, database: Database) -> None:
        with pytest.raises(ServiceUnavailableError, match="took too long") as refusal:
            await run(database, "SET LOCAL statement_timeout = '10ms'", "SELECT pg_sleep(60)")
        assert refusal.value.headers["Retry-After"] == "1"

    async def test_a_lock_that_another_holds_is_given_up(self, committing_callers: Callers) -> None:
        database, user = committing_callers.database, await committing_callers.user()
        lock = f"SELECT 1 FROM users WHERE id = '{user.id}' FOR UPDATE"
        async with database.transaction() as holder:
            await holder.execute(text(lock))
            with pytest.raises(TransientError):
                await run(database, "SET LOCAL lock_timeout = '10ms'", lock)

    async def test_an_answer_that_does_not_come_is_given_up(self, database: Database) -> None:
        with pytest.raises(ServiceUnavailableError):
            await add_users(database, then=TimeoutError())
