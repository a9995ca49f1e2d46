"""docs/threats.md names tests that there are, for every threat."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| (T\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
ROWS = ROW.findall((TESTS.parent / "docs/threats.md").read_text())


def test_every_threat_has_a_row() -> None:
    assert [name for name, _ in ROWS] == [f"T{number}" for number in range(1, 27)]


@pytest.mark.parametrize("tried_by", [pytest.param(cell, id=name) for name, cell in ROWS])
def test_it_is_tried_by_tests_that_there_are(tried_by: str) -> None:
    named = re.findall(r"`([^`]+)`", tried_by)
    assert named
    for each in named:
        path, _, name = each.partition("::")
        assert Path(path).name.startswith("test_")
        assert not name or name in names(TESTS / path), each


def names(path: Path) -> set[str]:
    """Of its tests, and of the classes that hold some."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef)
    }
