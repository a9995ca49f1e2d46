"""The matrix of operations and people, each cell tried; and that it would find a policy that is gone."""

import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.routers import ROUTERS
from tests.conftest import RolledBackDatabase, undone
from tests.factories.callers import Callers

from .matrix import DUE, MARK, MEMBERS, ROLES, World
from .walker import Operation, operations

pytestmark = pytest.mark.anyio

KNOWN = (*ROLES, "outsider", "operator")

NAMELESS = {
    *("get_member", "get_project_summary", "list_members"),
    *("download_attachment", "get_thumbnail", "get_link", "stream_changes", "list_calendar_feeds"),
    *("download_archive", "list_imports", "get_import", "list_import_faults", "follow_import"),
    *("list_project_reports", "list_workspace_reports", "get_report"),
}
"""They show nothing that the workspace's people have named."""


def features() -> Iterator[ModuleType]:
    names = [name for name in sys.modules if name.startswith("glasswork.features.")]
    return (sys.modules[name] for name in names)


def policies() -> Iterator[tuple[str, str]]:
    """Yield slice and name of each that decides by a role."""
    for module in features():
        if module.__name__.endswith(".policy"):
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if "role" in inspect.signature(function).parameters:
                    yield module.__name__.split(".")[2], name


def slice_of(operation: Operation) -> str:
    routes: list[Any] = [route for router in ROUTERS for route in router.routes]
    endpoint = next(route.endpoint for route in routes if route.name == operation.name)
    name: str = endpoint.__module__.split(".")[2]
    return name


def test_every_operation_has_a_row(app: FastAPI) -> None:
    assert {operation.name for operation in operations(app)} == DUE.keys()


@pytest.fixture(scope="module")
async def world(acme: None, shared_callers: Callers, shared_database: RolledBackDatabase) -> World:
    del acme
    return await World.make(shared_database.connection, shared_callers)


@pytest.mark.parametrize("name", sorted(DUE.keys() - {"confirm_totp"}))
async def test_everybody_is_answered_as_is_due(app: FastAPI, world: World, name: str) -> None:
    operation = next(each for each in operations(app) if each.name == name)
    assert await world.deviations(operation) == {}


async def test_who_has_begun_a_second_factor_turns_it_on(app: FastAPI, world: World) -> None:
    operation = next(each for each in operations(app) if each.name == "confirm_totp")
    async with undone(world.connection):
        begun = await world.with_totp_begun()
        assert await begun.deviations(operation) == {}


async def test_there_is_something_to_be_seen(app: FastAPI, world: World) -> None:
    for operation in operations(app):
        if operation.method == "GET" and DUE[operation.name] is MEMBERS and operation.name not in NAMELESS:
            assert MARK in (await world.answer(operation, "viewer")).text, operation.name


@pytest.mark.slow
@pytest.mark.parametrize("allows", [True, False])
@pytest.mark.parametrize(("feature", "policy"), sorted(policies()))
async def test_a_policy_that_decides_nothing_is_noticed(
    app: FastAPI, world: World, monkeypatch: pytest.MonkeyPatch, feature: str, policy: str, allows: bool
) -> None:
    replace(monkeypatch, getattr(sys.modules[f"glasswork.features.{feature}.policy"], policy), allows)
    for operation in operations(app):
        if slice_of(operation) == feature and await world.deviations(operation, KNOWN):
            return
    pytest.fail("nobody is answered otherwise")


def replace(monkeypatch: pytest.MonkeyPatch, policy: Callable[..., bool], answer: bool) -> None:
    """Wherever the slices have it from."""
    for module in features():
        for name, value in vars(module).copy().items():
            if value is policy:
                monkeypatch.setattr(module, name, lambda *_: answer)
