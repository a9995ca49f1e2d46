"""A real PgBouncer of the test's own, in transaction mode."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from sqlalchemy import make_url

from tests.databases import PASSWORD
from tests.processes import free_port, until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="needs pgbouncer: apt-get install pgbouncer, or any PgBouncer on the PATH"
)

CONFIG = """
[databases]
* = host={host} port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 1000
server_login_retry = 1
log_connections = 0
log_disconnections = 0
"""


class PgBouncer:
    """Lends `pool_size` servers of each database; it can pause, be killed, and start again on its port."""

    def __init__(self, server_url: str, pool_size: int = 3) -> None:
        """`server_url` names the server behind it, on TCP or a Unix socket, and the role that it lets in."""
        self._server = make_url(server_url)
        self._pool_size = pool_size
        self._port = free_port()

    def __enter__(self) -> Self:
        # Not below pytest's own folder: as root PgBouncer runs as a user who may not enter it.
        self._folder = Path(tempfile.mkdtemp(prefix="glasswork_pgbouncer_"))
        host = self._server.query.get("host", self._server.host)
        server_port = self._server.query.get("port", self._server.port or 5432)
        written = CONFIG.format(
            host=host,
            server_port=server_port,
            port=self._port,
            folder=self._folder,
            pool_size=self._pool_size,
        )
        (self._folder / "pgbouncer.ini").write_text(written)
        (self._folder / "users.txt").write_text(f'"{self._server.username}" "{PASSWORD}"\n')
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def url(self, url: str) -> str:
        """The same role and database, by way of the pooler."""
        way = make_url(url).difference_update_query(["host", "port"])
        way = way.set(host="127.0.0.1", port=self._port, password=PASSWORD)
        return way.render_as_string(hide_password=False)

    def start(self) -> None:
        assert PROGRAM
        account = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": ()}
        with (self._folder / "pgbouncer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, str(self._folder / "pgbouncer.ini")],
                stdout=log,
                stderr=log,
                **(account if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
            )
        until(self._listens)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Lend no server any more, from the end of the transactions that run: who begins one waits."""
        self._process.send_signal(signal.SIGUSR1)
        until(lambda: "pausing all activity" in self.log)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGUSR2)

    @property
    def log(self) -> str:
        return (self._folder / "pgbouncer.log").read_text()

    @property
    def _user(self) -> pwd.struct_passwd:
        """Who is let into the embedded server's folder: as root that server runs as this user, too."""
        with suppress(KeyError):
            return pwd.getpwnam("postgres")
        return pwd.getpwnam("nobody")

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port)).close()
            return True
        return False
