"""A logger's level for a while."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from glasswork.core.telemetry import levels as module
from glasswork.core.telemetry.levels import ROOT, Levels

pytestmark = pytest.mark.anyio

NAME = "glasswork.otters"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger(NAME)
    yield logger
    logger.setLevel(logging.NOTSET)


async def test_is_what_it_was_when_the_time_is_over(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)
    levels = Levels()
    levels.set(NAME, "debug")
    assert logger.level == logging.DEBUG
    while logger.level:
        await asyncio.sleep(0.01)


async def test_said_twice_goes_back_to_the_first(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = Levels()
    levels.set(NAME, "debug")
    monkeypatch.setattr(module, "SECONDS", 0.01)
    levels.set(NAME, "error")
    assert logger.level == logging.ERROR
    while logger.level:
        await asyncio.sleep(0.01)


async def test_are_shown_with_their_end(logger: logging.Logger) -> None:
    levels = Levels()
    assert {NAME: None, ROOT: None}.items() <= {each["name"]: each["until"] for each in levels.show()}.items()
    levels.set(logger.name, "debug")
    (shown,) = (each for each in levels.show() if each["name"] == NAME)
    assert shown["level"] == "DEBUG"
    assert shown["until"]


@pytest.mark.parametrize(("name", "is_known"), [(NAME, True), (ROOT, True), ("nobody.has.this", False)])
async def test_are_of_loggers_that_there_are(logger: logging.Logger, name: str, is_known: bool) -> None:
    del logger
    assert Levels().knows(name) is is_known
