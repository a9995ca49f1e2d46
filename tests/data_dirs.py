"""Where the real program keeps its embedded database and its secrets."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import run


@contextmanager
def empty_data_dir() -> Iterator[Path]:
    """Yield that of a fresh machine; its path has a space in it, as people's have."""
    # Not below pytest's own folder: as root the embedded server runs as a user who may not enter that one.
    folder = Path(tempfile.mkdtemp(prefix="glasswork serve "))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def used_data_dir() -> Iterator[Path]:
    """Yield one in which the server has been before: the database is there and its schema is the newest."""
    used = Path(os.environ["GLASSWORK_TEST_HOME"]) / "used"
    with used.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not used.exists():
            _make(used)
    with empty_data_dir() as folder:
        subprocess.run(["cp", "-a", f"{used}/.", folder], check=True)
        yield folder


def _make(used: Path) -> None:
    draft = used.with_suffix(".draft")
    draft.mkdir(mode=0o755)
    run("migrate", data_dir=draft).check_returncode()
    draft.rename(used)
