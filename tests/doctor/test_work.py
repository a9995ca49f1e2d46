"""Workers, dead jobs and broken data, in a real database."""

from collections.abc import AsyncIterator

import pytest

from glasswork.core.settings import Environment, Settings
from glasswork.doctor import work
from glasswork.doctor.findings import Finding
from tests.conftest import make_settings
from tests.databases import SERVING, Server
from tests.doctor.settings import facts

pytestmark = pytest.mark.anyio

DUE = """
    INSERT INTO jobs.pgqueuer_schedules (expression, entrypoint, next_run)
    VALUES ('{}', '{}', now() - interval '{} s')
"""
ORDERED = "INSERT INTO jobs.pgqueuer (priority, entrypoint, status) VALUES (0, 'retention.purge', '{}')"
NOBODYS = """
    SET session_replication_role = replica;
    INSERT INTO workspaces (id, name, slug, created_by, version)
    VALUES (gen_random_uuid(), 'Acme', 'acme', gen_random_uuid(), 1)
"""
CHECKED = "*/5 * * * *", "invariants.check"


@pytest.fixture
async def settings(server: Server) -> AsyncIterator[Settings]:
    async with server.used_clone() as name:
        yield make_settings(server.url(SERVING, name))


async def look(settings: Settings, workers: int = 1) -> dict[str, Finding]:
    return {each.name: each for each in await work.look(settings, facts(workers=workers))}


async def execute(server: Server, settings: Settings, statement: str) -> None:
    name = settings.database_url.get_secret_value().partition("?")[0].rpartition("/")[2]
    await server.execute(statement, database=name)


class TestWorker:
    async def test_nobody_listens(self, settings: Settings) -> None:
        found = (await look(settings, workers=0))["worker"]
        assert (found.ok, found.evidence) == (False, "No process listens for jobs.")
        production = settings.model_copy(update={"environment": Environment.PRODUCTION})
        assert (await look(production, workers=0))["worker"].severity == "error"

    @pytest.mark.parametrize(("seconds", "ok"), [(-200, True), (30, True), (90, False)])
    async def test_listens_and_keeps_the_time(
        self, server: Server, settings: Settings, seconds: int, ok: bool
    ) -> None:
        await execute(server, settings, DUE.format(*CHECKED, seconds))
        found = (await look(settings))["worker"]
        assert found.ok is ok
        assert ("late" in found.evidence) is not ok

    async def test_what_an_old_version_ordered_is_nobodys(self, server: Server, settings: Settings) -> None:
        await execute(server, settings, DUE.format("* * * * *", "of.old", 9999))
        assert (await look(settings))["worker"].ok


async def test_dead_jobs(server: Server, settings: Settings) -> None:
    assert (await look(settings))["jobs"].evidence == "Dead: 0, waiting: 0."
    for status in ("queued", "failed"):
        await execute(server, settings, ORDERED.format(status))
    found = (await look(settings))["jobs"]
    assert (found.ok, found.severity, found.evidence) == (False, "warning", "Dead: 1, waiting: 1.")


async def test_broken_data(server: Server, settings: Settings) -> None:
    assert (await look(settings))["invariants"].ok
    await execute(server, settings, NOBODYS)
    found = (await look(settings))["invariants"]
    assert (found.ok, found.severity) == (False, "error")
    assert "workspace_without_owner (1)" in found.evidence
