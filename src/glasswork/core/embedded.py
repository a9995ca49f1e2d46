"""The embedded PostgreSQL: a real server on a machine that has none.

Its locks are freed by the kernel when a holder dies, however it dies. `start.lock`: one at a time brings the
server up, at first or again. `users.lock`: shared by all who use it; who gets it alone is the last one out.
`server.lock`: passed on to all processes of the server, so free when none is left, which `postmaster.pid`
can't tell.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any, Self
from urllib.parse import quote

from glasswork.core.embedded_places import copy_for_everybody, make_folder, server_account, socket_folder
from glasswork.core.postgres_programs import of_the_wheel
from glasswork.core.settings import default_data_dir

OWNER_ROLE, SERVING_ROLE, DATABASE = "glasswork_owner", "glasswork", "glasswork"
RECOVERING = ("the database system is ", "server closed the connection", "terminating connection")
"""What PostgreSQL and psql say while it recovers from the death of a part of it, and has said `ready`."""
START_SECONDS = 300  # recovery after a crash takes as long as it takes
LOOK_SECONDS = 0.5
"""Between two looks at whether it is still there."""
MOST_LOOK_SECONDS = 30
"""When it cannot be started again."""
LOG_BYTES = 10 << 20  # a quarter of a year of checkpoints; looked at whenever a process starts
LOG_KEPT_BYTES = 1 << 20
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
# Neither PG* variables, which would mislead PostgreSQL's programs, nor the app's secrets.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": LOCALE, "TZ": "UTC", "PGCONNECT_TIMEOUT": "10"}
# Failed statements are for the app to report: the values in them have no place in the server's log.
INITDB_OPTIONS = """
    --username=postgres --auth-local=trust --auth-host=reject --encoding=UTF8 --locale-provider=builtin
    --builtin-locale=C.UTF-8 -c listen_addresses= -c unix_socket_directories=../run -c log_min_messages=log
"""
# PostgreSQL's defaults do the rest: in schema public a database's owner alone may CREATE; all have USAGE.
BOOTSTRAP = rf"""
SELECT 'CREATE ROLE {OWNER_ROLE} LOGIN' WHERE to_regrole('{OWNER_ROLE}') IS NULL \gexec
SELECT 'CREATE ROLE {SERVING_ROLE} LOGIN' WHERE to_regrole('{SERVING_ROLE}') IS NULL \gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \gexec
""".encode()  # noqa: S608 - our own names


# Not structlog's, which prints what comes before it is configured, and commands print for programs.
_log = logging.getLogger(__name__)


class EmbeddedPostgresError(RuntimeError):
    """Its message is for the person at the terminal: what is wrong, and what to do."""


class EmbeddedPostgres:
    """One server for all processes that start it on the same data directory; the last one out stops it."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """With `durable=False` a crash of the machine may destroy the data: for tests."""
        self._home = data_dir.resolve() / "postgres"
        self._data = self._home / "data"
        self._sockets = socket_folder(self._home)
        self._durable = durable
        self._users: IO[bytes] | None = None

    def url(self, role: str, database: str) -> str:
        # Without a port asyncpg would take the one in the caller's PGPORT.
        return f"postgresql+asyncpg://{role}@/{database}?host={quote(os.fsencode(self._sockets))}&port=5432"

    def start(self) -> None:
        """Attach to the server; what is missing is made first: cluster, running server, roles, database."""
        try:
            self._account = server_account(self._data)
            self._refuse_unreachable()
            self._programs = self._find_programs()
            self._make_folders()
            with contextlib.ExitStack() as undo:
                self._users = self._open("users.lock")
                undo.callback(self.stop)
                fcntl.flock(self._users, fcntl.LOCK_SH)
                with self._open("start.lock") as turn:
                    fcntl.flock(turn, fcntl.LOCK_EX)
                    self._shorten_log()
                    if not self._data.exists():
                        self._make_cluster()
                    self._bring_up()
                undo.pop_all()
        except (OSError, KeyError) as error:
            raise EmbeddedPostgresError(f"{error}. Choose another DATA_DIR, or set DATABASE_URL.") from error

    def stop(self) -> None:
        """Let go of the server; the last one stops it, within 3 seconds."""
        if self._users:
            with self._users as users, contextlib.suppress(BlockingIOError):
                self._users = None
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._shut_down("fast", 2)
                self._shut_down("immediate", 1)

    @contextlib.contextmanager
    def kept_up(self) -> Iterator[None]:
        """Start it again when it has died, from a thread, until the end; to be left before `stop`."""
        is_left = Event()
        Thread(target=self._keep_up, args=(is_left,), daemon=True).start()
        try:
            yield
        finally:
            is_left.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _refuse_unreachable(self) -> None:
        nearest = next(folder for folder in (self._data, *self._data.parents) if folder.exists())
        if self._execute("test", "-x", nearest).returncode:
            raise EmbeddedPostgresError(
                f"PostgreSQL runs as user {self._account.pw_name}, to whom {nearest} is closed. "
                f"Choose a DATA_DIR that this user can reach, such as {default_data_dir()}."
            )

    def _find_programs(self) -> Path:
        if named := os.environ.get("GLASSWORK_PG_BIN"):
            return Path(named).resolve()
        programs = of_the_wheel()
        if programs is None:
            raise EmbeddedPostgresError("No embedded PostgreSQL for this platform: set DATABASE_URL.")
        unreachable = self._execute("test", "-x", programs / "postgres").returncode
        return copy_for_everybody(programs) if unreachable else programs

    def _make_folders(self) -> None:
        make_folder(self._home, 0o700 if os.geteuid() else 0o755)
        make_folder(self._sockets, 0o700)
        status, server_user = self._sockets.lstat(), self._account.pw_uid
        # Whoever gets in there is a superuser, and in /tmp anybody could have made it.
        if status.st_uid not in {os.geteuid(), server_user} or status.st_mode != stat.S_IFDIR | 0o700:
            raise EmbeddedPostgresError(f"{self._sockets} is not a private folder of the server. Remove it.")
        if status.st_uid != server_user:
            os.chown(self._sockets, server_user, -1)

    def _shorten_log(self) -> None:
        """Whoever writes appends, so a file that is cut goes on from its new end."""
        with self._open("server.log") as log:
            if log.tell() > LOG_BYTES:
                with (self._home / "server.log").open("rb") as old:
                    old.seek(-LOG_KEPT_BYTES, os.SEEK_END)
                    end = old.read()
                log.truncate(0)
                log.write(end.partition(b"\n")[2])

    def _make_cluster(self) -> None:
        for leftover in self._home.glob("unfinished-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self._home))
        os.chown(fresh, self._account.pw_uid, -1)
        sync = () if self._durable else ("--no-sync",)
        self._run("initdb", "-D", fresh.name, *INITDB_OPTIONS.split(), *sync)
        fresh.rename(self._data)
        folder = os.open(self._home, os.O_RDONLY)
        os.fsync(folder)  # or a crash could take the name back, and all that was written since
        os.close(folder)

    def _bring_up(self) -> None:
        old = (self._data / "PG_VERSION").read_text().strip()
        new = self._execute(self._programs / "postgres", "--version", capture_output=True).stdout.decode()
        if f") {old}" not in new:
            raise EmbeddedPostgresError(
                f"{self._data} is of PostgreSQL {old}, but this is {new.strip()}. Dump it with version {old} "
                "(GLASSWORK_PG_BIN names its programs), move it away, and restore the dump with this one."
            )
        deadline = time.monotonic() + START_SECONDS
        while (state := self._state()) != "ready" or not self._bootstrap():
            if state == "stopped":
                self._launch()
            elif time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL is {state}. See {self._home}/server.log.")
            time.sleep(0.01)

    def _keep_up(self, is_left: Event) -> None:
        pause = LOOK_SECONDS
        while not is_left.wait(pause):
            try:
                with self._alone("start.lock") as is_turn:
                    # Who stops the server waits for the turn, so it is not started behind their back.
                    if is_turn and not is_left.is_set() and self._state() == "stopped":
                        self._shorten_log()
                        self._launch()
                        _log.warning("embedded_postgres.started_again")
                pause = LOOK_SECONDS
            except (OSError, EmbeddedPostgresError) as error:
                if not is_left.is_set():
                    _log.error("embedded_postgres.not_started", extra={"reason": str(error)})
                pause = min(2 * pause, MOST_LOOK_SECONDS)

    def _bootstrap(self) -> bool:
        """False when nobody is let in: a server that a part of has died says `ready` while it recovers."""
        try:
            self._run("psql", "-Xqv", "ON_ERROR_STOP=1", "-Upostgres", f"-h{self._sockets}", input=BOOTSTRAP)
        except EmbeddedPostgresError as error:
            if any(sign in str(error) for sign in RECOVERING):
                return False
            raise
        return True

    def _state(self) -> str:
        """`stopped`, or what a server that can be reached says of itself: `starting`, `ready`, `stopping`."""
        with self._alone("server.lock") as is_nobody_left:
            if is_nobody_left:
                return "stopped"
        with contextlib.suppress(OSError, IndexError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._sockets / ".s.PGSQL.5432"))
            return (self._data / "postmaster.pid").read_text().splitlines()[7].strip()
        return "unreachable"

    def _launch(self) -> None:
        # A killed server leaves these, and PostgreSQL believes them when another process has got its number.
        for stale in (self._data / "postmaster.pid", self._sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)
        # pg_ctl hands its options to a shell, so no path of the user's choosing is among them.
        folder = "../run" if self._sockets.parent == self._home else self._sockets
        risks = "" if self._durable else "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        # In a recovery it would else say that it is ready as soon as it can be read.
        settings = f"-k {folder} -c hot_standby=off {risks}"
        options = ("-D", "data", "-s", f"-t{START_SECONDS}", "-o", settings)
        with self._open("server.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._run("pg_ctl", "start", *options, pass_fds=[lock.fileno()])

    def _is_down(self) -> bool:
        """And nobody is about to bring it up."""
        with self._alone("start.lock") as is_turn:
            return is_turn and self._state() == "stopped"

    def _shut_down(self, mode: str, seconds: int) -> None:
        deadline = time.monotonic() + seconds
        while not self._is_down() and time.monotonic() < deadline:
            with contextlib.suppress(EmbeddedPostgresError):  # just launched, it has no postmaster.pid yet
                self._run("pg_ctl", "stop", "-D", "data", "-s", f"-m{mode}", f"-t{seconds}")
            time.sleep(0.01)

    def _run(self, program: str, *options: str, **settings: Any) -> None:
        with self._open("server.log") as log:  # not a pipe: the server inherits it, and it would never end
            settings |= {"cwd": self._home, "stdout": log, "stderr": log}
            begin = log.tell()
            if self._execute(self._programs / program, *options, **settings).returncode:
                end = (self._home / "server.log").read_bytes()[begin:].decode(errors="replace")[-2000:]
                raise EmbeddedPostgresError(f"{program} failed. The end of {self._home}/server.log:\n{end}")

    def _execute(self, *command: str | Path, **settings: Any) -> subprocess.CompletedProcess[bytes]:
        if os.geteuid() == 0:
            settings |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": ()}
        return subprocess.run([*map(str, command)], env=ENVIRONMENT, check=False, **settings)  # noqa: S603

    @contextlib.contextmanager
    def _alone(self, lock: str) -> Iterator[bool]:
        """Yield whether nobody else has the lock; until the end nobody gets it then."""
        with self._open(lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_alone = False
            else:
                is_alone = True
            yield is_alone

    def _open(self, name: str) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        return os.fdopen(os.open(self._home / name, flags, 0o600), "ab")
