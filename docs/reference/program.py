"""The program that the pages are made of: nothing of it is started."""

from collections.abc import Iterable
from typing import TypeVar

from fastapi import FastAPI
from pydantic import SecretStr

from glasswork import commands as _commands  # noqa: F401 (loads what the command line alone does)
from glasswork.app import create_app
from glasswork.core.settings import Settings

T = TypeVar("T")


def make_app() -> FastAPI:
    settings = Settings(
        database_url=SecretStr("postgresql+asyncpg://nobody@nowhere/nothing"), jwt_secret=SecretStr("-" * 32)
    )
    return create_app(settings)


def kinds_of(kind: type[T]) -> set[type[T]]:
    """All that the product declares below a class: not what tests do."""
    below = {each for each in kind.__subclasses__() if each.__module__.startswith("glasswork.")}
    for each in kind.__subclasses__():
        below |= kinds_of(each)
    return below


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
