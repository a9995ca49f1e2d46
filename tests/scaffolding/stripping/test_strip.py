"""Refusals come before anything is written, and the manifest is that of this checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

from glasswork.scaffolding.stripping.errors import StripError
from glasswork.scaffolding.stripping.manifest import Manifest
from glasswork.scaffolding.stripping.strip import PATCH, edited, strip, tracked, unlinked

ROOT = Path(__file__).parents[3]


def silent(_: str) -> None:
    pass


def test_a_target_that_is_there_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "acme"
    target.mkdir()
    with pytest.raises(StripError, match="there already"):
        strip(ROOT, "acme", target, silent, dry_run=False)
    assert not list(target.iterdir())


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StripError, match="in a checkout"):
        strip(tmp_path, "acme", tmp_path / "acme", silent, dry_run=False)
    assert not list(tmp_path.iterdir())


def test_a_name_is_refused_before_all_else(tmp_path: Path) -> None:
    with pytest.raises(StripError, match="word of Python"):
        strip(tmp_path, "class", tmp_path / "class", silent, dry_run=False)


def test_a_dry_run_tells_what_goes_and_writes_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    strip(ROOT, "acme", tmp_path / "acme", told.append, dry_run=True)
    assert "src/glasswork/features/tasks/service.py" in told
    assert "tests/features/tasks/test_create.py" in told or any(
        "tests/features/tasks/" in each for each in told
    )
    assert "src/glasswork/features/workspaces/service.py" not in told
    assert not list(tmp_path.iterdir())


def test_every_slice_and_every_pattern_is_there() -> None:
    manifest, paths = Manifest.read(), [path.as_posix() for path in tracked(ROOT)]
    for each in manifest.slices:
        assert f"src/glasswork/features/{each}/__init__.py" in paths
    for definition in manifest.definitions:
        path, _, name = definition.partition("::")
        assert name.rpartition(".")[2] in (ROOT / path).read_text(), definition
    for pattern in manifest.kept:
        assert list(ROOT.glob(pattern)), pattern


def test_every_edit_finds_something() -> None:
    with pytest.raises(StripError, match="looks for"):
        edited("some text", {"other": ""})
    for path, edits in Manifest.read().edits.items():
        assert edited((ROOT / path).read_text(), edits)


def test_of_links_that_lead_nowhere_the_words_are_left(tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    text = "[a](there.md#part), [b](gone.md#part), [c](https://example.com/gone.md), [d](#here)"
    assert unlinked(text, tmp_path) == "[a](there.md#part), b, [c](https://example.com/gone.md), [d](#here)"


@pytest.mark.skipif(
    shutil.which("git") is None, reason="needs git, which applies the patch: apt-get install git"
)
def test_the_patch_applies() -> None:
    """If not: `git apply -3` it, mend it, and write `git diff -U1` into its place."""
    subprocess.run(["git", "apply", "--check", str(PATCH)], cwd=ROOT, check=True)
