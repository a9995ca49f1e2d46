"""What worked with the document before works with this one, or the changelog says what does not."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from .compatibility import Document, breaks

ROOT = Path(__file__).parents[2]
DOCUMENT = "docs/openapi.json"

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git: apt-get install git")


def recorded(changes: Path) -> set[str]:
    """The operations that it says are broken since the last release."""
    return {
        name
        for change in changes.glob("*.breaking*.md")
        for name in re.findall(r"`(\w+)`", change.read_text())
    }


def test_only_what_is_breaking_counts(tmp_path: Path) -> None:
    (tmp_path / "+title.fixed.md").write_text("`get_me` has a `name`.\n")
    assert recorded(tmp_path) == set()
    (tmp_path / "+title.breaking.md").write_text("`get_task` has no `title`.\n")
    assert recorded(tmp_path) == {"get_task", "title"}


def earlier(repository: Path) -> Document | None:
    """The document where this branch left main, or before the last commit; None: neither is there."""
    head, *bases = (_git(repository, *words) for words in (("rev-parse", "HEAD"), *BASES))
    texts = (_git(repository, "show", f"{base}:{DOCUMENT}") for base in bases if base and base != head)
    return next((json.loads(text) for text in texts if text), None)


BASES = (("merge-base", "HEAD", "origin/main"), ("merge-base", "HEAD", "main"), ("rev-parse", "HEAD^1"))


def _git(repository: Path, *words: str) -> str | None:
    answer = subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


@needs_git
def test_the_earlier_document_is_that_of_main(tmp_path: Path) -> None:
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    (tmp_path / "docs").mkdir()

    def commit(version: int) -> None:
        (tmp_path / DOCUMENT).write_text(json.dumps({"version": version}))
        _git(tmp_path, "add", ".")
        _git(tmp_path, *author, "commit", "--message", str(version))

    _git(tmp_path, "init", "--initial-branch", "main")
    commit(1)
    assert earlier(tmp_path) is None
    commit(2)
    assert earlier(tmp_path) == {"version": 1}
    _git(tmp_path, "switch", "--create", "topic")
    commit(3)
    commit(4)
    assert earlier(tmp_path) == {"version": 2}


@needs_git
def test_nothing_breaks_unless_the_changelog_says_so() -> None:
    old = earlier(ROOT)
    if old is None:
        pytest.skip("there is no earlier document: the clone is too shallow, or has none")
    known = recorded(ROOT / "docs/changes")
    found = breaks(old, json.loads((ROOT / DOCUMENT).read_text()))
    assert [str(each) for each in found if each.operation not in known] == []


def test_the_pipeline_has_the_commit_before() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    checkout = jobs["contract"]["steps"][0]["with"]
    assert checkout["fetch-depth"] == 2
