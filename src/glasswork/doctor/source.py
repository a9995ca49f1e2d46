"""What can be seen of how this program was made: its source around it, or what its release wrote down."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import glasswork

RECORD = "release.json"
"""Beside the package's modules, written by deploy/write_release.py before a release is built."""
MIN_COVERAGE = 90


@dataclass(frozen=True)
class Source:
    package: Path

    @classmethod
    def here(cls) -> "Source":
        return cls(Path(glasswork.__file__).parent)

    @property
    def checkout(self) -> Path | None:
        """Its top folder, if the package is imported from one."""
        top = self.package.parents[1]
        is_ours = (top / "src" / self.package.name) == self.package and (top / "pyproject.toml").is_file()
        return top if is_ours else None

    @cached_property
    def release(self) -> Mapping[str, Any] | None:
        """`{"version", "commit", "gates": [name, ...]}`: what had passed when it was built."""
        try:
            record: Mapping[str, Any] = json.loads((self.package / RECORD).read_text())
        except (OSError, ValueError):
            return None
        return record

    @cached_property
    def project(self) -> Mapping[str, Any]:
        assert self.checkout is not None  # noqa: S101 (asked for in a checkout)
        with (self.checkout / "pyproject.toml").open("rb") as file:
            return tomllib.load(file)

    def text(self, path: str) -> str:
        """Empty where there is no such file."""
        file = (self.checkout or self.package) / path
        return file.read_text() if file.is_file() else ""


Seen = tuple[bool | None, str]
"""Whether it is so, None where that is not to be seen, and what was seen."""


def _types(source: Source) -> Seen:
    strict = bool(source.project["tool"].get("mypy", {}).get("strict"))
    return strict, f"pyproject.toml has mypy {'strict' if strict else 'not strict'}."


def _tests(source: Source) -> Seen:
    assert source.checkout is not None  # noqa: S101
    number = sum(1 for _ in (source.checkout / "tests").rglob("test_*.py"))
    covered = source.project["tool"].get("coverage", {}).get("report", {}).get("fail_under", 0)
    seen = f"{number} files of tests; below {covered} % coverage the gate fails."
    return number > 0 and covered >= MIN_COVERAGE, seen


def _ci(source: Source) -> Seen:
    workflow = source.text(".github/workflows/ci.yml")
    missing = [task for task in ("lint", "types", "test", "coverage") if f"task {task}" not in workflow]
    return not missing, f"ci.yml runs {'not: ' + ', '.join(missing) if missing else 'all gates'}."


def _dependency_scan(source: Source) -> Seen:
    is_there = "task audit" in source.text(".github/workflows/ci.yml")
    return is_there, f"ci.yml has {'' if is_there else 'no '}audit of uv.lock."


def _benchmarks(source: Source) -> Seen:
    has = bool(source.text("bench/run.py") and source.text("docs/performance.md"))
    return has, f"bench/ and docs/performance.md are {'there' if has else 'missing'}."


def _docs(source: Source) -> Seen:
    names = ("README.md", "docs/deploying.md", "docs/SECURITY.md", "docs/CHANGELOG.md")
    missing = [name for name in names if not source.text(name)]
    return not missing, f"{'Missing: ' + ', '.join(missing) if missing else 'README.md and docs/ are there'}."


def _green(_: Source) -> Seen:
    return None, "Not to be seen here: whether the gates passed stands where the repository lives."


GATES: Mapping[str, Callable[[Source], Seen]] = {
    "types": _types,
    "tests": _tests,
    "ci": _ci,
    "ci_green": _green,
    "dependency_scan": _dependency_scan,
    "benchmarks": _benchmarks,
    "docs_pages": _docs,
}
"""What a release records by these names, and a checkout shows."""


def look(source: Source) -> Mapping[str, Seen]:
    if source.checkout is not None:
        return {name: gate(source) for name, gate in GATES.items()}
    if source.release is None:
        unseen = "Not to be seen here: neither the source nor a release's record is installed."
        return dict.fromkeys(GATES, (None, unseen))
    passed = set(source.release.get("gates", ()))
    of = f"The record of release {source.release.get('version')} (commit {source.release.get('commit')})"
    return {
        name: (name in passed, f"{of} has {'it' if name in passed else 'no such gate'}.") for name in GATES
    }
