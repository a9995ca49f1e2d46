"""docs/features.md tells of everything that was asked for, and names what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/features.md").read_text()
ASKED, LEADS = PAGE.split("## Where it leads")
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS = [pytest.param(row, id=row[1]) for part in (ASKED, LEADS) for row in ROW.finditer(part)]


def test_everything_has_a_row() -> None:
    assert [int(row[1]) for row in ROW.finditer(ASKED)] == list(range(1, 75))
    assert [int(row[1]) for row in ROW.finditer(LEADS)] == list(range(1, 16))


@pytest.mark.parametrize("row", ROWS)
def test_what_it_names_is_there(row: re.Match[str]) -> None:
    named = re.findall(r"`([a-z_./0-9]+)`", row[3] + row[4])
    for path in named:
        place = ROOT / path if path.startswith("tests/") else ROOT / "src/glasswork" / path
        assert place.exists(), path
    for link in re.findall(r"\]\(([^)#]+)", row[3]):
        assert (ROOT / "docs" / link).exists(), link
    assert re.search(r"`tests/.*test_\w+\.py`|`tests/conftest.py`", row[4])


def test_a_number_is_a_figure() -> None:
    for row in ROW.finditer(LEADS):
        assert re.search(r"\d|every|one|two|all|byte", row[3]), row[0]
