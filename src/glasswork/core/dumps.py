"""Dumps of the whole database, made and read by PostgreSQL's own programs."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

import asyncpg

from glasswork.core import revisions
from glasswork.core.database_urls import place_of
from glasswork.core.errors import StartError
from glasswork.core.postgres_programs import environment_for, find_programs

LOCK_SECONDS: Final = 60
"""For which a dump waits for a table that a migration holds."""
_RELATIONS: Final = """
    SELECT count(*) FROM pg_class
    WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
"""
_REVISION: Final = re.compile(rb"^COPY .*\n(\w+)\n", re.MULTILINE)


class Programs:
    """pg_dump and pg_restore, and the database that they are to work on."""

    def __init__(self, url: str, server_major: int) -> None:
        self._environment = environment_for(url)
        self._folder = find_programs(server_major)

    def dump(self, file: Path | None) -> None:
        """Write the database as it is at this moment, in the custom format; others go on writing.

        Without a file it goes to the standard output.
        """
        where = () if file is None else (f"--file={file}",)
        self._run("pg_dump", "--format=custom", f"--lock-wait-timeout={LOCK_SECONDS}s", *where)

    def restore(self, dump: Path) -> None:
        """All of it, or nothing. Whoever restores owns it, and nobody else has rights."""
        options = ("--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
        self._run("pg_restore", "--dbname=", *options, str(dump))  # the name is in the environment

    def revision_of(self, dump: Path) -> str:
        """Return that of the schema in the dump."""
        table = ("--data-only", "--schema=public", "--table=alembic_version")
        script = self._run("pg_restore", "--file=-", *table, str(dump), stdout=subprocess.PIPE)
        if found := _REVISION.search(script):
            return found[1].decode()
        raise StartError(f"{dump} is no dump of Glasswork.", 1)

    def _run(self, program: str, *options: str, **settings: Any) -> bytes:
        # Bytes, since an error may repeat whatever is in the file.
        done = subprocess.run(  # noqa: S603
            [str(self._folder / program), *options],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            **settings,
        )
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()[-2000:]
            raise StartError(f"{program} failed ({done.returncode}).\n{reason}".strip(), 1)
        return done.stdout or b""


async def open_programs(url: str) -> Programs:
    connection: asyncpg.Connection = await asyncpg.connect(**place_of(url))
    try:
        return Programs(url, connection.get_server_version().major)
    finally:
        await connection.close()


async def refuse_empty(url: str) -> None:
    """Raise StartError where there is no schema: a backup of the wrong place would look like a success."""
    if await revisions.current(url) is None:
        raise StartError("There is nothing of Glasswork in the database: is it the right one?", 1)


async def refuse_used(url: str) -> None:
    """Raise StartError where there is anything in the database."""
    connection: asyncpg.Connection = await asyncpg.connect(**place_of(url))
    try:
        relations = await connection.fetchval(_RELATIONS)
    finally:
        await connection.close()
    if relations:
        message = "There are tables in the database already, and a dump is restored into an empty one only."
        raise StartError(f"{message} Make another database, or choose another --data-dir.", 1)


def refuse_newer(revision: str) -> None:
    if revisions.is_newer(revision):
        message = f"The dump's schema is at {revision}, which this version does not know: update first."
        raise StartError(message, 1)


async def tidy(url: str) -> None:
    """Let the planner know what is there, and mark what is seen by all."""
    connection: asyncpg.Connection = await asyncpg.connect(**place_of(url))
    try:
        await connection.execute("VACUUM (ANALYZE, SKIP_DATABASE_STATS)")
    finally:
        await connection.close()


@contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[Path]:
    """Yield a file that only its owner reads; it gets its name when all of it is on disk, or is gone."""
    if path.exists() and not replace:
        raise StartError(f"{path} exists: --force replaces it.", 1)
    handle, draft = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        yield Path(draft)
        os.fsync(handle)
        (os.replace if replace else os.link)(draft, path)  # a link replaces nothing, whoever was faster
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            Path(draft).unlink()
