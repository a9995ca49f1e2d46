"""The code of the last release, from git: what runs while this one migrates, and when it is taken back.

That is the newest tag before this commit; until there is one, the commit before the newest revision came in.
Its dependencies are those that are installed, so what it does with older ones is not tried.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

ROOT = Path(__file__).parents[1]


class NoHistoryError(Exception):
    """The clone does not hold the commit."""


@dataclass(frozen=True)
class Release:
    name: str
    folder: Path
    revision: str
    """The newest that it knows."""

    @property
    def python_path(self) -> str:
        """In PYTHONPATH it comes before the code that is installed."""
        return str(self.folder / "src")


@contextmanager
def last_release() -> Iterator[Release]:
    """Yield it in a folder of its own; raises NoHistoryError."""
    name = _newest_tag() or _before_the_newest_revision()
    with tempfile.TemporaryDirectory(prefix="glasswork-release-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        with tarfile.open(fileobj=io.BytesIO(_git("archive", name, "src", "migrations"))) as archive:
            archive.extractall(folder, filter="data")
        yield Release(name, folder, str(_scripts(folder).get_current_head()))


def _newest_tag() -> str | None:
    try:
        return _git("describe", "--tags", "--abbrev=0", "HEAD^").decode().strip()
    except NoHistoryError:
        return None


def _before_the_newest_revision() -> str:
    """Not yet committed, it came in after HEAD."""
    newest = _scripts(ROOT).get_revision("head").path
    added = _git("log", "--max-count=1", "--diff-filter=A", "--format=%H", "--", newest).decode().strip()
    return _git("rev-parse", "--verify", f"{added}^" if added else "HEAD").decode().strip()


def _scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder / "migrations"))


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    except FileNotFoundError as error:
        raise NoHistoryError("git is not installed") from error
    if done.returncode:
        raise NoHistoryError(done.stderr.decode().strip())
    return done.stdout
