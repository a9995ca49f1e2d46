"""A tag becomes a release only when the version and the changelog know of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from release_notes import UnfitError, notes

SCRIPT = Path(__file__).parents[1] / "deploy/release_notes.py"
PYPROJECT = '[project]\nname = "glasswork"\nversion = "1.2.0"\n'
CHANGELOG = """\
# Changelog

Newest first; ## 1.2.0 within a line is no heading.

## Unreleased

- Not yet.

## 1.2.0 - 2026-12-01

### Breaking

- `get_task` has no `title`.

## 1.2.0rc1

- A try.

## 1.1.0

"""


def changelog(newest: str) -> str:
    return CHANGELOG.replace("## 1.2.0 - 2026-12-01", newest)


@pytest.mark.parametrize("tag", ["1.2.0", "v1.2", "v1.2.0rc1", "v1.1.0", "vfoo", ""])
def test_a_tag_of_another_version_is_refused(tag: str) -> None:
    with pytest.raises(UnfitError, match=r"it must be v1\.2\.0"):
        notes(tag, PYPROJECT, CHANGELOG)


@pytest.mark.parametrize("newest", ["## 1.3.0", "## 1.2.0.1", "### 1.2.0", "##", "## Version 1.2.0"])
def test_a_version_without_a_section_is_refused(newest: str) -> None:
    with pytest.raises(UnfitError, match=r"no section ## 1\.2\.0"):
        notes("v1.2.0", PYPROJECT, changelog(newest))


def test_an_empty_section_is_refused() -> None:
    with pytest.raises(UnfitError, match=r"says nothing under ## 1\.1\.0"):
        notes("v1.1.0", PYPROJECT.replace("1.2.0", "1.1.0"), CHANGELOG)


@pytest.mark.parametrize("newest", ["## 1.2.0", "## 1.2.0 - 2026-12-01", "## 1.2.0 (yanked)"])
def test_the_section_of_the_version_is_printed_and_no_other(newest: str) -> None:
    assert notes("v1.2.0", PYPROJECT, changelog(newest)) == "### Breaking\n\n- `get_task` has no `title`.\n"


def test_the_script_says_why_and_fails() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "v0.0.0"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "it must be v" in done.stderr
