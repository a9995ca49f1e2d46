"""The pages that are made of the code are those that the code makes, and they leave nothing out."""

import re
from pathlib import Path

import pytest
from reference.commands import commands
from reference.errors import meaning_of
from reference.pages import pages
from reference.program import kinds_of
from reference.settings import settings

from glasswork.core.errors import AppError
from glasswork.core.events import event_types
from glasswork.core.settings import Settings
from tests.faults.grid.catalogue import FAULTS
from tests.faults.grid.meeting import JOURNEYS
from tests.faults.grid.page import PAGE

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs/reference"


@pytest.mark.anyio
async def test_they_are_what_the_code_makes() -> None:
    for path, text in (await pages()).items():
        assert path.read_text() == text, f"uv run task docs writes {path.name} anew"


def test_each_setting_is_there() -> None:
    told = {setting.name for setting in settings()}
    assert {name.upper() for name in Settings.model_fields} <= told
    assert all(setting.meaning for setting in settings())


def test_each_error_says_what_it_means() -> None:
    told = (REFERENCE / "errors.md").read_text()
    written = {
        code
        for path in (ROOT / "src").rglob("*.py")
        for code in re.findall(r'^    code = "([A-Z_0-9]+)"$', path.read_text(), re.MULTILINE)
    }
    assert {kind.code for kind in kinds_of(AppError)} == written
    for code in written:
        row = re.search(rf"^\| `{code}` \| (.*?) \|", told, re.MULTILINE)
        assert row, code
        assert row[1], code


def test_errors_that_say_nothing_are_noticed() -> None:
    class MuteError(AppError):
        pass

    class ToldError(AppError):
        """It says why."""

    class WordedError(AppError):
        def __init__(self, name: str) -> None:
            message = f"{name} is gone."
            super().__init__(message)

    assert [meaning_of(kind) for kind in (MuteError, ToldError, WordedError)] == [
        "",
        "It says why.",
        "… is gone.",
    ]


def test_each_event_is_there() -> None:
    told = re.findall(r"^\| `([a-z_.]+)` \|", (REFERENCE / "events.md").read_text(), re.MULTILINE)
    assert sorted(event_types()) == told


def test_each_command_is_there() -> None:
    names = [name for name, _ in commands()]
    told = re.findall(r"^## (glasswork .+)$", (REFERENCE / "commands.md").read_text(), re.MULTILINE)
    assert told == names
    assert {"glasswork serve", "glasswork jobs retry", "glasswork import csv", "glasswork db dump"} <= set(
        names
    )


def test_each_fault_and_each_journey_is_told_of() -> None:
    told = PAGE.read_text()
    assert f"| | {' | '.join(kind.name for kind in JOURNEYS)} |\n" in told
    for fault in FAULTS:
        assert f"\n| {fault.number} | " in told
        assert f"\n## {fault.number}: {fault.name}\n\n{fault.seen}\n\n" in told
