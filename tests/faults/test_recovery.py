"""Back to a point in the past, from a base backup and the archived WAL, as docs/backup.md says it."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event

import asyncpg
import httpx2
import pytest

from glasswork.core.database_urls import place_of
from glasswork.core.embedded import DATABASE, EmbeddedPostgres
from glasswork.core.postgres_programs import environment_for, of_the_wheel
from tests.data_dirs import empty_data_dir, used_data_dir
from tests.populated import client_of
from tests.processes import Serving, make, postmaster, sign_in, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

WRITERS = 3


class Ledger:
    """What callers were told, and what they had asked for."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()

    @contextmanager
    def writing(self, api: httpx2.Client, tasks: str) -> Iterator[None]:
        stopped, numbers = Event(), count(len(self.sent))

        def write() -> None:
            while not stopped.is_set():
                title = f"task {next(numbers)}"
                self.sent.add(title)
                if api.post(tasks, json={"title": title}).status_code == 201:
                    self.acknowledged.add(title)

        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write) for _ in range(WRITERS)]
            try:
                yield
            finally:
                stopped.set()
        for writer in writers:
            writer.result()

    def wait_for(self, more: int) -> None:
        enough = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= enough, 60)


@pytest.fixture
def archive() -> Iterator[Path]:
    with empty_data_dir() as folder:
        yield folder


@pytest.mark.fault("F23", "read", "search", "create")
def test_what_was_acknowledged_before_the_point_is_there_and_nothing_after(
    archive: Path, tmp_path: Path
) -> None:
    ledger = Ledger()
    with used_data_dir() as old, empty_data_dir() as new:
        archive_wal(old, archive)
        with Serving(old, "--no-worker", RATE_LIMIT_ENABLED="false") as serving, sign_in(serving) as api:
            workspace = make(api, "/workspaces", name="W", slug="w")
            project = make(api, f"/workspaces/{workspace['id']}/projects", name="Panes", key="PAN")
            tasks, changes = f"/projects/{project['id']}/tasks", f"/workspaces/{workspace['id']}/changes"
            with ledger.writing(api, tasks):
                ledger.wait_for(10)
                back_up(old, tmp_path / "base")
                ledger.wait_for(30)
                must_be_there = set(ledger.acknowledged)
                ask(old, "SELECT pg_create_restore_point('before the accident')")
                may_be_there = set(ledger.sent)
                ledger.wait_for(30)
            assert api.delete(f"/workspaces/{workspace['id']}").status_code == 204
            segment = ask(old, "SELECT pg_walfile_name(pg_switch_wal())")
            archived = "SELECT last_archived_wal >= $1 OR NULL FROM pg_stat_archiver"
            until(lambda: ask(old, archived, segment))
            token, seen = api.headers["Authorization"].split()[1], len(ledger.acknowledged) + 3
            database = postmaster(old)
            assert database
            serving.process.kill()
            os.kill(database, signal.SIGKILL)

        restore(tmp_path / "base", archive, old, new)
        with Serving(new, "--no-worker") as serving, client_of(serving, token) as api:
            there = titles(api, tasks)
            assert must_be_there <= there <= may_be_there
            assert there < ledger.acknowledged
            assert len(there) >= 40
            assert api.get(changes, params={"cursor": str(seen)}).json()["error"]["code"] == "AHEAD_OF_LOG"
            make(api, tasks, title="and on")
            assert postmaster(new)
            assert ask(new, "SELECT timeline_id FROM pg_control_checkpoint()") == 2


def archive_wal(data_dir: Path, archive: Path) -> None:
    cluster = data_dir / "postgres/data"
    owner = cluster.stat()
    os.chown(archive, owner.st_uid, owner.st_gid)
    with (cluster / "postgresql.auto.conf").open("a") as settings:
        # To a name that is not there yet, and the whole of it before it has that name.
        copy = f'test ! -f "{archive}/%f" && cp %p "{archive}/.%f" && mv "{archive}/.%f" "{archive}/%f"'
        settings.write(f"archive_mode = on\narchive_command = '{copy}'\n")


def back_up(data_dir: Path, base: Path) -> None:
    programs = of_the_wheel()
    assert programs
    with EmbeddedPostgres(data_dir) as server:
        there = environment_for(server.url("postgres", DATABASE))
        command = [str(programs / "pg_basebackup"), f"--pgdata={base}", "--checkpoint=fast"]
        subprocess.run(command, env=there, check=True)


def restore(base: Path, archive: Path, old: Path, new: Path) -> None:
    shutil.copy(old / "jwt_secret", new)
    owner = (old / "postgres/data").stat()
    cluster = new / "postgres/data"
    shutil.copytree(base, cluster)
    (cluster / "recovery.signal").touch()
    with (cluster / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            f"restore_command = 'cp \"{archive}/%f\" %p'\narchive_mode = off\n"
            "recovery_target_name = 'before the accident'\nrecovery_target_action = promote\n"
        )
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def titles(api: httpx2.Client, tasks: str) -> set[str]:
    found: set[str] = set()
    query = {"limit": "100"}
    while True:
        page = api.get(tasks, params=query).json()
        found |= {task["title"] for task in page["items"]}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def ask(data_dir: Path, question: str, *values: object) -> object:
    """Return a single value, as a superuser."""

    async def answer() -> object:
        connection = await asyncpg.connect(**place_of(server.url("postgres", DATABASE)))
        try:
            return await connection.fetchval(question, *values)
        finally:
            await connection.close()

    with EmbeddedPostgres(data_dir) as server:
        return asyncio.run(answer())
