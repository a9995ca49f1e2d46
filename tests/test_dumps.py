"""`glasswork db`: what is dumped is restored elsewhere, under other names, and goes on there."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from asyncpg import InsufficientPrivilegeError

from glasswork.core import migrations, revisions
from glasswork.core.embedded import DATABASE, EmbeddedPostgres
from glasswork.core.postgres_programs import environment_for, of_the_wheel
from tests.conftest import SECRET
from tests.core.test_embedded import ask
from tests.data_dirs import empty_data_dir, used_data_dir
from tests.databases import OWNER, SERVING, Server
from tests.populated import Installation, client_of, contents, contents_of, populate
from tests.processes import PROGRAM, QUIET, Serving, run, until
from tests.test_migrations import run as migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RELATIONS = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'jobs')"
PICKED = "UPDATE jobs.pgqueuer SET status = 'picked', heartbeat = now() - interval '1 hour'"


@pytest.fixture(scope="module")
def old() -> Iterator[Installation]:
    with used_data_dir() as folder:
        yield populate(folder)


@pytest.fixture(scope="module")
def dump(old: Installation) -> Path:
    path = old.data_dir / "old.dump"
    run("db", "dump", str(path), data_dir=old.data_dir).check_returncode()
    return path


@pytest.fixture
def new_data_dir(old: Installation) -> Iterator[Path]:
    """With what is not in the database."""
    with empty_data_dir() as folder:
        bring_the_rest(old, folder)
        yield folder


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The name of a database in which there is nothing."""
    name = f"{server.run}_{uuid4().hex[:12]}"
    asyncio.run(server.execute(f"CREATE DATABASE {name} OWNER {OWNER}"))
    yield name
    asyncio.run(server.execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def clone(server: Server) -> Iterator[str]:
    name = asyncio.run(server.make_clone())
    yield name
    asyncio.run(server.execute(f"DROP DATABASE {name} WITH (FORCE)"))


def bring_the_rest(old: Installation, folder: Path) -> None:
    shutil.copy(old.data_dir / "jwt_secret", folder)
    shutil.copytree(old.data_dir / "files", folder / "files")


def environment(server: Server, database: str) -> dict[str, str]:
    return {
        "DATABASE_URL": server.url(SERVING, database),
        "MIGRATION_DATABASE_URL": server.url(OWNER, database),
        "JWT_SECRET": SECRET,
    }


def at(there: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the settings of another place."""
    return run(*arguments, data_dir=None, **there)


def superuser_url(server: Server, database: str) -> str:
    return server.superuser.set(database=database).render_as_string(hide_password=False)


def goes_on(serving: Serving, old: Installation) -> None:
    changes = f"/workspaces/{old.workspace['id']}/changes"
    with client_of(serving, old.api_token) as script, client_of(serving, old.token) as person:
        assert person.get(f"/tasks/{old.task['id']}").json() == old.task
        assert person.get(old.content).content == b"words"
        seen = {"cursor": str(old.last_seq)}
        assert script.get(changes, params=seen).json()["items"] == []
        answer = person.patch(f"/tasks/{old.task['id']}", json={"title": "Further"})
        assert answer.status_code == 200, answer.text
        (change,) = script.get(changes, params=seen).json()["items"]
        assert change["seq"] == old.last_seq + 1


class TestToAnotherDataDirectory:
    def test_all_is_the_same_and_goes_on(self, old: Installation, dump: Path, new_data_dir: Path) -> None:
        restored = run("db", "restore", str(dump), data_dir=new_data_dir)
        assert restored.returncode == 0, restored.stderr
        assert contents_of(new_data_dir) == contents_of(old.data_dir)
        checked = run("db", "check", data_dir=new_data_dir)
        assert (checked.returncode, checked.stdout) == (0, "All 1 files are there.\n")
        (file,) = (path for path in (new_data_dir / "files").rglob("*") if path.is_file())
        file.rename(new_data_dir / "forgotten")
        checked = run("db", "check", data_dir=new_data_dir)
        assert checked.returncode == 1
        assert f"1 of 1 files are missing:\n  {file.parent.name}/{file.name}\n" in checked.stderr
        (new_data_dir / "forgotten").rename(file)
        with Serving(new_data_dir, "--no-worker") as serving:
            goes_on(serving, old)

    def test_jobs_that_waited_or_were_being_done_are_done(self, dump: Path, new_data_dir: Path) -> None:
        run("db", "restore", str(dump), data_dir=new_data_dir).check_returncode()
        with EmbeddedPostgres(new_data_dir) as embedded:
            ask(embedded, PICKED)
        assert "Subject" not in run("mail", data_dir=new_data_dir).stdout
        with Serving(new_data_dir):
            until(lambda: "To: ada@example.com" in run("mail", data_dir=new_data_dir).stdout, 60)


class TestToAServer:
    def test_all_is_the_same_under_other_roles(
        self, old: Installation, dump: Path, new_data_dir: Path, server: Server, empty: str
    ) -> None:
        there = environment(server, empty)
        restored = at(there, "db", "restore", str(dump))
        assert restored.returncode == 0, restored.stderr
        assert contents(superuser_url(server, empty), OWNER, SERVING) == contents_of(old.data_dir)
        for refused in ("UPDATE alembic_version SET version_num = 'x'", "DELETE FROM workspace_events"):
            with pytest.raises(InsufficientPrivilegeError):
                asyncio.run(server.execute(refused, SERVING, empty))
        secret = (new_data_dir / "jwt_secret").read_text()
        with Serving(new_data_dir, "--no-worker", **there | {"JWT_SECRET": secret}) as serving:
            goes_on(serving, old)
        assert "row_security       It holds for" in at(there, "doctor").stdout

    def test_what_a_superuser_does_by_hand_is_the_same(
        self, old: Installation, tmp_path: Path, server: Server, empty: str
    ) -> None:
        """As docs/backup.md says it for the containers, in which are no programs but the database's own."""
        path = tmp_path / "by-hand.dump"
        with EmbeddedPostgres(old.data_dir) as embedded:
            by_hand(embedded.url("postgres", DATABASE), "pg_dump", "--format=custom", f"--file={path}")
        options = ("--dbname=", f"--role={OWNER}", "--no-owner", "--no-privileges", "--single-transaction")
        by_hand(superuser_url(server, empty), "pg_restore", *options, str(path))
        at(environment(server, empty), "migrate").check_returncode()
        assert contents(superuser_url(server, empty), OWNER, SERVING) == contents_of(old.data_dir)

    def test_an_older_schema_is_brought_up_to_date(
        self, tmp_path: Path, server: Server, clone: str, empty: str
    ) -> None:
        path = tmp_path / "older.dump"
        asyncio.run(migrate(server.url(OWNER, clone), "downgrade", "-1"))
        at(environment(server, clone), "db", "dump", str(path)).check_returncode()
        assert asyncio.run(revisions.current(server.url(OWNER, clone))) != revisions.head()
        restored = at(environment(server, empty), "db", "restore", str(path))
        assert (restored.returncode, str(revisions.head()) in restored.stdout) == (0, True)
        asyncio.run(migrations.compare(server.url(OWNER, empty)))


class TestRestoreRefuses:
    def refused(self, server: Server, database: str, dump: Path, words: str) -> None:
        """And leaves nothing behind."""
        before = asyncio.run(server.fetch(RELATIONS, database=database))
        ended = at(environment(server, database), "db", "restore", str(dump))
        assert ended.returncode == 1
        assert words in ended.stderr
        assert "Traceback" not in ended.stderr
        assert asyncio.run(server.fetch(RELATIONS, database=database)) == before

    def test_what_is_no_dump(self, tmp_path: Path, server: Server, empty: str) -> None:
        (tmp_path / "no.dump").write_bytes(b"PGDMP? no.")
        self.refused(server, empty, tmp_path / "no.dump", "pg_restore failed (1).")

    def test_half_a_dump(self, dump: Path, tmp_path: Path, server: Server, empty: str) -> None:
        half = tmp_path / "half.dump"
        half.write_bytes(dump.read_bytes()[: -dump.stat().st_size // 10])
        self.refused(server, empty, half, "end of file")

    def test_a_dump_of_something_else(self, tmp_path: Path, server: Server, empty: str) -> None:
        path = tmp_path / "other.dump"
        asyncio.run(server.execute("CREATE TABLE cats ()", OWNER, empty))
        by_hand(server.url(OWNER, empty), "pg_dump", "--format=custom", f"--file={path}")
        asyncio.run(server.execute("DROP TABLE cats", OWNER, empty))
        self.refused(server, empty, path, "is no dump of Glasswork")

    def test_a_newer_schema(self, tmp_path: Path, server: Server, clone: str, empty: str) -> None:
        path = tmp_path / "newer.dump"
        asyncio.run(server.execute("UPDATE alembic_version SET version_num = 'newer'", OWNER, clone))
        at(environment(server, clone), "db", "dump", str(path)).check_returncode()
        self.refused(server, empty, path, "at newer, which this version does not know: update first")

    def test_a_database_in_use(self, dump: Path, server: Server, clone: str) -> None:
        self.refused(server, clone, dump, "There are tables in the database already")


class TestDumpRefuses:
    def test_to_replace_a_file(self, dump: Path, old: Installation) -> None:
        before = dump.read_bytes()
        again = run("db", "dump", str(dump), data_dir=old.data_dir)
        assert (again.returncode, "--force" in again.stderr) == (1, True)
        assert dump.read_bytes() == before
        forced = run("db", "dump", str(dump), "--force", data_dir=old.data_dir)
        assert forced.returncode == 0, forced.stderr
        assert dump.read_bytes() != before
        assert stat.S_IMODE(dump.stat().st_mode) == 0o600

    def test_a_database_without_a_schema(self, tmp_path: Path, server: Server, empty: str) -> None:
        ended = at(environment(server, empty), "db", "dump", str(tmp_path / "x"))
        assert (ended.returncode, "the right one?" in ended.stderr) == (1, True)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there(self, tmp_path: Path, server: Server, clone: str) -> None:
        ended = at(environment(server, clone), "db", "dump", str(tmp_path / "no/x"))
        assert (ended.returncode, "cannot be written" in ended.stderr) == (1, True)

    def test_where_there_is_no_room(self, tmp_path: Path, server: Server, clone: str) -> None:
        """Neither the largest file that a process may write, nor a full device, leaves half a dump."""
        there = os.environ | QUIET | environment(server, clone)
        limited = f"ulimit -f 16; exec {PROGRAM} db dump {tmp_path}/x"
        small = subprocess.run(["/bin/sh", "-c", limited], env=there, check=False, capture_output=True)
        with Path("/dev/full").open("wb") as full:
            command = [PROGRAM, "db", "dump", "-"]
            filled = subprocess.run(
                command, env=there, check=False, stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert (small.returncode, list(tmp_path.iterdir())) == (1, [])
        assert (filled.returncode, "No space left on device" in filled.stderr) == (1, True)

    def test_to_go_on_when_it_is_stopped(self, tmp_path: Path, server: Server, clone: str) -> None:
        there = os.environ | QUIET | environment(server, clone)
        with asyncio.Runner() as runner:
            connection = runner.run(server.connect(clone))
            runner.run(connection.execute("BEGIN; LOCK TABLE tasks"))
            dumping = subprocess.Popen([PROGRAM, "db", "dump", tmp_path / "x"], env=there)
            until(lambda: list(tmp_path.iterdir()))
            dumping.send_signal(signal.SIGTERM)
            assert dumping.wait(timeout=20) == 128 + signal.SIGTERM
            runner.run(connection.close())
        assert list(tmp_path.iterdir()) == []

    def test_programs_that_are_too_old(self, tmp_path: Path, server: Server, clone: str) -> None:
        programs = stand_in(tmp_path, "9.6.24")
        there = environment(server, clone) | {"GLASSWORK_PG_BIN": str(programs)}
        ended = at(there, "db", "dump", str(tmp_path / "x"))
        assert ended.returncode == 78
        assert f"those of {programs} have version 9" in ended.stderr


def test_no_password_is_on_a_command_line(tmp_path: Path, server: Server, clone: str) -> None:
    programs = stand_in(tmp_path, "99.0")
    there = environment(server, clone)
    separator = "&" if "?" in there["MIGRATION_DATABASE_URL"] else "?"
    there["MIGRATION_DATABASE_URL"] += f"{separator}sslmode=prefer"
    there["GLASSWORK_PG_BIN"] = str(programs)
    at(there, "db", "dump", str(tmp_path / "x")).check_returncode()
    told = (tmp_path / "told").read_text().split()
    assert told[-4:] == [OWNER, "only-for-tests", clone, "prefer"]
    assert "only-for-tests" not in " ".join(told[:-4])


def stand_in(folder: Path, version: str) -> Path:
    """A pg_dump that tells how it was called."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "pg_dump"
    told = '"$*" "$PGUSER" "$PGPASSWORD" "$PGDATABASE" "$PGSSLMODE"'
    says = f'echo "pg_dump (PostgreSQL) {version}"'
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {says} || echo {told} > {folder}/told\n')
    program.chmod(0o755)
    return programs


def by_hand(url: str, program: str, *options: str) -> None:
    programs = of_the_wheel()
    assert programs
    subprocess.run([programs / program, *options], env=environment_for(url), check=True)
