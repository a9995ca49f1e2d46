"""Makes a base for other products: a copy of this checkout without the tracker, under another name."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from .errors import StripError
from .history import raw_statements
from .manifest import Manifest
from .names import OURS, check_name, renamed
from .pruning import Pruning, load

HERE: Final = Path(__file__).parent
PATCH: Final = HERE / "base.patch"
"""Where pruning would leave nonsense. When it does not apply any more: `git apply -3`, mend, `git diff`."""
PAGES: Final = HERE / "base"
"""Files that are others in the base, such as its README."""
_PRUNED: Final = ("src", "tests", "docs", "deploy")
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?!\w+:)([^)#]+)[^)]*\)")

Tell = Callable[[str], None]


def strip(checkout: Path, name: str, target: Path | None, tell: Tell, *, dry_run: bool) -> Path:
    """Make the base; return where it is. Raises StripError before anything is written.

    `checkout` is the top of this repository's work tree. Of a dry run the paths that go are told.
    """
    check_name(name)
    target = (target or checkout.parent / name).absolute()
    paths = tracked(checkout)
    if target.exists():
        raise StripError(f"{target} is there already.")
    manifest = Manifest.read()
    gone = [path for path in paths if manifest.takes(path)]
    if dry_run:
        for path in gone:
            tell(str(path))
        return target
    _copy(checkout, paths, target)
    _run(target, "git", "init", "--quiet")
    _run(target, "git", "apply", "--whitespace=nowarn", str(PATCH))
    _put_pages(target)
    _substitute(target / "tests", manifest)
    _prune(target, paths, manifest)
    _edit(target, manifest)
    for page in target.rglob("*.md"):
        page.write_text(unlinked(page.read_text(), page.parent))
    tell("Pruned. Now the name, the first revision and the documents.")
    _rename(target, name)
    _finish(target, name)
    return target


def tracked(checkout: Path) -> list[Path]:
    """Return the files of the checkout that git knows, and that are there; raise StripError if it is none."""
    if not (checkout / ".git").exists() or not (checkout / "pyproject.toml").is_file():
        raise StripError("This works in a checkout of the repository only, not in what was installed of it.")
    listed = _run(checkout, "git", "ls-files", "-z")
    return [Path(each) for each in listed.split("\0") if each and (checkout / each).is_file()]


def _copy(checkout: Path, paths: Sequence[Path], target: Path) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout / path, target / path)


def _put_pages(target: Path) -> None:
    """The tools of this repository take no `.txt` for a module."""
    for page in PAGES.rglob("*"):
        if page.is_file():
            place = target / str(page.relative_to(PAGES)).removesuffix(".txt")
            shutil.copy(page, place)


def _substitute(tests: Path, manifest: Manifest) -> None:
    for path in tests.rglob("*.py"):
        text = before = path.read_text()
        for old, new in manifest.substitutes.items():
            text = text.replace(old, new)
        if text != before:
            path.write_text(text)


def _prune(target: Path, paths: Sequence[Path], manifest: Manifest) -> None:
    there = [path for path in paths if (target / path).exists()]
    gone = [path for path in there if manifest.takes(path)]
    python = [
        path
        for path in there
        # What this program uses is not there for it.
        if path.suffix == ".py" and path.parts[0] in _PRUNED and HERE.name not in path.parts
    ]
    pruning = Pruning(load(target, python), manifest.gone(gone))
    pruning.run()
    left = {source.path: source.data for source in pruning.sources.values()}
    for path in there:
        if path in gone or (path in python and path not in left):
            (target / path).unlink()
        elif path in left:
            (target / path).write_bytes(left[path])
    _remove_empty(target)


def _remove_empty(target: Path) -> None:
    """Folders, also packages, in which nothing is left."""
    for folder in sorted((each for each in target.rglob("*") if each.is_dir()), reverse=True):
        if ".git" in folder.parts:
            continue
        left = [*folder.iterdir()]
        if not left or (all(each.name == "__init__.py" for each in left) and folder.parent != target):
            shutil.rmtree(folder)


def _edit(target: Path, manifest: Manifest) -> None:
    for path, edits in manifest.edits.items():
        (target / path).write_text(edited((target / path).read_text(), edits))
    layers = "|".join(manifest.slices)
    project = target / "pyproject.toml"
    text = re.sub(rf'(?m)^    "({layers})",\n', "", project.read_text())
    if not (target / "src" / OURS / "scaffolding").exists():
        text = text.replace(" | scaffolding", "")
    project.write_text(text)


def edited(text: str, edits: Mapping[str, str]) -> str:
    """Raise StripError where an edit finds nothing."""
    for find, instead in edits.items():
        text, found = re.subn(find, instead, text)
        if not found:
            raise StripError(f"manifest.toml looks for {find!r}, and it is not there.")
    return text


def unlinked(text: str, folder: Path) -> str:
    """Leave of links to files that are not there the words alone."""
    return _LINK.sub(lambda link: link[0] if (folder / link[2]).exists() else link[1], text)


def _rename(target: Path, name: str) -> None:
    for path in sorted(target.rglob("*"), reverse=True):
        if ".git" in path.relative_to(target).parts:
            continue
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                path.write_text(renamed(data.decode(), name))
        if OURS in path.name:
            path.rename(path.with_name(renamed(path.name, name)))


def _finish(target: Path, name: str) -> None:
    """What is made of the code is made anew, by the tools of the base's own environment."""
    versions = target / "migrations/versions"
    versions.mkdir()
    index = re.search(r'registry = "([^"]+)"', (target / "uv.lock").read_text())
    _run(target, "uv", "lock", "--quiet", *(["--default-index", index[1]] if index else []))
    _run(target, "uv", "sync", "--frozen", "--quiet")
    own = ("uv", "run", "--frozen")
    statements = renamed(json.dumps(raw_statements()), name)
    revision = _run(target, *own, "python", str(HERE / "base_revision.py"), name, text=statements)
    (versions / "base.py").write_text(revision)
    _run(target, *own, "ruff", "check", "--quiet", "--fix", "--exit-zero")
    _run(target, *own, "ruff", "format", "--quiet")
    _run(target, *own, "task", "docs")


def _run(folder: Path, *command: str, text: str | None = None) -> str:
    """Run a program there, and return what it prints; raise StripError with what it says, if it fails."""
    clean = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    ended = subprocess.run(  # noqa: S603 (our own programs)
        command, cwd=folder, env=clean, input=text, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise StripError(f"{' '.join(command[:4])} failed in {folder}:\n{ended.stderr or ended.stdout}")
    return ended.stdout
