"""What is said of how the program was made is what can be seen of it in that place."""

import json
from pathlib import Path

import pytest

from glasswork.doctor.source import GATES, RECORD, Seen, Source, look
from write_release import record

VERSION = '[project]\nversion = "1.2.3"\n'
STRICT = "[tool.mypy]\nstrict = true\n"
COVERED = "[tool.coverage.report]\nfail_under = 95\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The least that has every gate."""
    for path, text in {
        "pyproject.toml": f"{VERSION}{STRICT}{COVERED}",
        "src/glasswork/__init__.py": "",
        "tests/core/test_one.py": "",
        ".github/workflows/ci.yml": "task lint, task types, task test, task coverage, task audit",
        "bench/run.py": "...",
        **dict.fromkeys(("docs/performance.md", "README.md", "docs/deploying.md"), "..."),
        **dict.fromkeys(("docs/SECURITY.md", "docs/CHANGELOG.md"), "..."),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def states(top: Path) -> dict[str, bool | None]:
    return {name: ok for name, (ok, _) in look(Source(top / "src/glasswork")).items()}


SHOWN: dict[str, bool | None] = {**dict.fromkeys(GATES, True), "ci_green": None}


def test_this_checkout_has_all_gates() -> None:
    seen = look(Source.here())
    assert {name: ok for name, (ok, _) in seen.items()} == SHOWN, seen


@pytest.mark.parametrize(
    ("path", "text", "broken"),
    [
        ("pyproject.toml", f"{VERSION}{COVERED}", "types"),
        ("pyproject.toml", f"{VERSION}{STRICT}", "tests"),
        ("tests/core/test_one.py", None, "tests"),
        (".github/workflows/ci.yml", "task lint, task types, task test, task audit", "ci"),
        (".github/workflows/ci.yml", "task lint, task types, task test, task coverage", "dependency_scan"),
        ("bench/run.py", None, "benchmarks"),
        ("docs/performance.md", None, "benchmarks"),
        ("docs/deploying.md", None, "docs_pages"),
    ],
)
def test_a_gate_that_is_not_there(checkout: Path, path: str, text: str | None, broken: str) -> None:
    assert states(checkout) == SHOWN
    if text is None:
        (checkout / path).unlink()
    else:
        (checkout / path).write_text(text)
    assert states(checkout) == {**SHOWN, broken: False}


class TestInstalled:
    @pytest.fixture
    def package(self, tmp_path: Path) -> Path:
        package = tmp_path / "lib/python3/site-packages/glasswork"
        package.mkdir(parents=True)
        (package.parent / "pyproject.toml").write_text(f"{VERSION}{STRICT}")  # anybody's
        return package

    def seen(self, package: Path) -> dict[str, Seen]:
        return dict(look(Source(package)))

    def test_nothing_is_claimed_without_a_record(self, package: Path) -> None:
        unseen = (None, "Not to be seen here: neither the source nor a release's record is installed.")
        assert self.seen(package) == dict.fromkeys(GATES, unseen)

    def test_a_record_says_what_passed(self, package: Path, checkout: Path) -> None:
        (checkout / "bench/run.py").unlink()
        made = record(Source(checkout / "src/glasswork"), "abc")
        (package / RECORD).write_text(json.dumps(made))
        seen = self.seen(package)
        assert [name for name, (ok, _) in seen.items() if not ok] == ["benchmarks"]
        assert seen["ci_green"] == (True, "The record of release 1.2.3 (commit abc) has it.")

    def test_a_record_that_is_none(self, package: Path) -> None:
        (package / RECORD).write_text("not JSON")
        assert {ok for ok, _ in self.seen(package).values()} == {None}
