"""Which revisions of the schema there are, without the library that applies them, which no server needs."""

import re
from functools import cache
from pathlib import Path
from typing import Final

import asyncpg

import glasswork
from glasswork.core.database_urls import place_of

CURRENT: Final = "SELECT version_num FROM alembic_version"
_REVISION = re.compile(
    r'^revision = "(?P<own>\w+)"\ndown_revision = (?:"(?P<before>\w+)"|None)$', re.MULTILINE
)


async def schema_state(url: str) -> str:
    """Ask the database itself; see `describe`."""
    return describe(await current(url))


async def current(url: str) -> str | None:
    """Return the revision of the database, None where there is no schema."""
    connection: asyncpg.Connection = await asyncpg.connect(**place_of(url))
    try:
        revision: str | None = await connection.fetchval(CURRENT)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return revision


def describe(revision: str | None) -> str:
    """`ok`, or which revision is there instead of the head.

    One that is not known here is a newer version's, and `ok`: while that is rolled out, or when it is taken
    back, this one goes on with the newer schema. So a migration must suit the version before it.
    """
    is_behind = revision is None or (revision in _known() and revision != head())
    return f"at {revision}, expected {head()}" if is_behind else "ok"


@cache
def head() -> str | None:
    """The revision that is before no other."""
    known = _known()
    return next(iter(known.keys() - known.values()), None)


def following(revision: str | None) -> str | None:
    """Return the next one."""
    return next((own for own, before in _known().items() if before == revision), None)


def is_newer(revision: str) -> bool:
    """Whether it is none that is known here."""
    return revision not in _known()


@cache
def _known() -> dict[str, str | None]:
    """All revisions, each with the one before it."""
    files = (script_location() / "versions").glob("*.py")
    found = (_REVISION.search(file.read_text()) for file in files)
    return {match["own"]: match["before"] for match in found if match}


def script_location() -> Path:
    """Inside the package when installed, at the top of the repository in a checkout."""
    package = Path(glasswork.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"
