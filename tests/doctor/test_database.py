"""Each check of the database, by what it says of itself, and with a real one that is broken."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from glasswork.core.settings import Settings
from glasswork.doctor import database
from glasswork.doctor.facts import Facts, ask
from glasswork.doctor.findings import Finding
from tests.conftest import make_settings
from tests.databases import OWNER, SERVING, UNHELD, Server
from tests.doctor.settings import facts, production

pytestmark = pytest.mark.anyio

CHECKS = dict(database.CHECKS)


@pytest.mark.parametrize(
    ("name", "changes", "severity"),
    [
        ("database_version", {"parameters": {"server_version_num": "140010"}}, "error"),
        ("database_version", {"parameters": {"server_version_num": "190000"}}, "warning"),
        ("fsync", {"parameters": {"fsync": "off"}}, "error"),
        ("full_page_writes", {"parameters": {"full_page_writes": "off"}}, "error"),
        ("synchronous_commit", {"parameters": {"synchronous_commit": "off"}}, "error"),
        ("encoding", {"parameters": {"server_encoding": "SQL_ASCII"}}, "error"),
        ("timezone", {"parameters": {"TimeZone": "Europe/Berlin"}}, "note"),
        ("clock", {"clock_off": 5.1}, "warning"),
        ("clock", {"clock_off": -3600}, "warning"),
        ("connections", {"processes": 4}, "warning"),
        ("connections", {"parameters": {"max_connections": "82"}}, "warning"),
        ("schema", {"revision": "0001"}, "error"),
        ("schema", {"revision": None}, "error"),
        ("roles", {"owner": "serving"}, "error"),
        ("row_security", {"bypass": "is a superuser"}, "error"),
        ("row_security", {"unprotected": ("tasks",)}, "error"),
        ("database_tls", {"is_encrypted": False}, "warning"),
        ("database_tls", {"is_encrypted": False, "address": "8.8.8.8"}, "error"),
    ],
)
def test_one_wrong_fact_fails_its_check_alone(name: str, changes: dict[str, Any], severity: str) -> None:
    broken = [each for each in found(production(), facts(**changes)).values() if not each.ok]
    assert [(each.name, each.severity.value) for each in broken] == [(name, severity)]
    assert broken[0].advice


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parameters": {"server_version_num": "150000"}},
        {"parameters": {"synchronous_commit": "remote_apply"}},
        {"parameters": {"max_connections": "83"}},
        {"clock_off": -4.9},
        {"revision": "of a newer version"},
        {"is_encrypted": False, "address": None},
    ],
)
def test_all_is_well(changes: dict[str, Any]) -> None:
    assert [each for each in found(production(), facts(**changes)).values() if not each.ok] == []


@pytest.mark.parametrize(
    ("processes", "workers", "redis_url", "ok"),
    [
        (1, 1, None, True),
        (2, 1, None, True),
        (2, 2, None, False),
        (3, 1, None, False),
        (3, 1, "redis://r", True),
    ],
)
def test_nodes_count_together(processes: int, workers: int, redis_url: str | None, ok: bool) -> None:
    there = facts(processes=processes, workers=workers)
    assert CHECKS["shared_limits"](production(redis_url=redis_url), there).ok is ok


def test_a_pooler_needs_few() -> None:
    there = facts(processes=20)
    assert not CHECKS["connections"](production(), there).ok
    assert CHECKS["connections"](
        production(database_pooler_url="postgresql://serving@pooler/glasswork"), there
    ).ok


class TestRealOnes:
    @pytest.fixture
    async def name(self, server: Server) -> AsyncIterator[str]:
        """On a server that is for tests, and may not be durable."""
        async with server.clone() as name:
            await server.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
            yield name

    async def look(self, server: Server, name: str, role: str = SERVING) -> dict[str, Finding]:
        url = server.url(role, name)
        return found(make_settings(url, environment="production"), await ask(url))

    async def test_is_well(self, server: Server, name: str) -> None:
        seen = await self.look(server, name)
        wrong = {name for name, each in seen.items() if not each.ok}
        assert wrong <= {"fsync", "full_page_writes", "database_tls"}
        for parameter in ("fsync", "full_page_writes"):
            assert seen[parameter].ok == (
                await server.fetch(f"SELECT current_setting('{parameter}')", database=name) == "on"
            )

    @pytest.mark.parametrize(
        ("check", "statement"),
        [
            ("synchronous_commit", "ALTER DATABASE {name} SET synchronous_commit = off"),
            ("synchronous_commit", f"ALTER ROLE {SERVING} IN DATABASE {{name}} SET synchronous_commit = off"),
            ("timezone", "ALTER DATABASE {name} SET timezone = 'Europe/Berlin'"),
            ("row_security", "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY"),
            ("schema", "UPDATE alembic_version SET version_num = '0001'"),
            ("schema", "DROP TABLE alembic_version"),
        ],
    )
    async def test_what_was_changed_is_found(
        self, server: Server, name: str, check: str, statement: str
    ) -> None:
        before = await self.look(server, name)
        await server.execute(statement.format(name=name), database=name)
        after = await self.look(server, name)
        assert before[check].ok
        assert [name for name in after if after[name].ok != before[name].ok] == [check]

    @pytest.mark.parametrize(
        ("role", "evidence"),
        [
            (OWNER, "Off: the serving role owns the tables."),
            (UNHELD, "Off: the serving role has BYPASSRLS."),
        ],
    )
    async def test_whom_no_policy_holds(self, server: Server, name: str, role: str, evidence: str) -> None:
        seen = await self.look(server, name, role)
        assert seen["row_security"].evidence == evidence
        assert seen["roles"].ok is (role != OWNER)

    async def test_an_empty_one_has_no_schema(self, server: Server) -> None:
        seen = await self.look(server, "postgres")
        assert (seen["schema"].ok, seen["roles"].ok, seen["row_security"].ok) == (False, None, None)


def found(settings: Settings, there: Facts) -> dict[str, Finding]:
    return {name: check(settings, there) for name, check in CHECKS.items()}
