"""`glasswork import archive`, as a process."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import SECRET
from tests.data_dirs import used_data_dir
from tests.databases import OWNER, SERVING, Server
from tests.processes import PROGRAM, QUIET, run

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COUNT = "SELECT (SELECT count(*) FROM workspaces) + (SELECT count(*) FROM users)"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'attachments'::regclass"


@pytest.fixture
def folder() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


def environment(server: Server, name: str, folder: Path) -> dict[str, Any]:
    return {
        "DATABASE_URL": server.url(SERVING, name),
        "MIGRATION_DATABASE_URL": server.url(OWNER, name),
        "JWT_SECRET": SECRET,
        "DATA_DIR": str(folder),
    }


async def test_who_is_killed_in_the_middle_begins_anew(
    server: Server, archive: bytes, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(archive)
    command = ("import", "archive", str(path))
    async with server.used_clone() as name:
        settings = environment(server, name, folder)
        url = server.superuser.set(drivername="postgresql", database=name)
        holder = await asyncpg.connect(url.render_as_string(hide_password=False))
        async with holder.transaction():
            await holder.execute("LOCK TABLE attachments IN EXCLUSIVE MODE")
            process = await asyncio.create_subprocess_exec(
                PROGRAM, *command, env=os.environ | QUIET | settings
            )
            async with asyncio.timeout(30):
                while not await holder.fetchval(WAITING):
                    await asyncio.sleep(0.02)
            process.kill()
            await process.wait()
        await holder.close()
        assert await server.fetch(COUNT, database=name) == 0
        assert await server.fetch("SELECT count(*) FROM stored_objects", database=name) == 1

        ended = await asyncio.to_thread(lambda: run(*command, **settings))
        assert (ended.returncode, ended.stderr.strip()) == (0, "")
        words = dict(line.split(maxsplit=1) for line in ended.stdout.splitlines())
        assert (words["Workspace"], words["tasks"], words["Files"]) == ("moved", "3", "1")
        assert await server.fetch(COUNT, database=name) == 3
        again = await asyncio.to_thread(lambda: run(*command, **settings))
        assert (again.returncode, again.stdout) == (
            0,
            "The workspace moved came of this archive already: nothing has changed.\n",
        )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("archive", "--workspace", "w"), "No such option: --workspace"),
        (("archive",), "The file: File is not a zip file"),
    ],
)
def test_what_does_not_fit_is_told_in_words(
    server: Server, folder: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(b"")
    form, *options = arguments
    ended = run("import", form, str(path), *options, **environment(server, server.template, folder))
    assert ended.returncode != 0
    assert reason in " ".join(ended.stderr.replace("│", " ").split())
    assert "Traceback" not in ended.stderr
