from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.features.realtime.service import Hub
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.streams import serving


@pytest.fixture
async def owner(callers: Callers) -> Caller:
    return await callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


@pytest.fixture
async def project(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_project(owner, workspace, key="OPS")


@pytest.fixture
async def task(owner: Caller, project: dict[str, Any]) -> dict[str, Any]:
    return await make_task(owner, project)


@pytest.fixture
def limited(change_settings: Callable[..., None]) -> None:
    change_settings(rate_limit_enabled=True)


@pytest.fixture
async def url(committing_app: FastAPI) -> AsyncIterator[str]:
    """Of the app on a real socket: the client of the tests cannot read a stream."""
    async with serving(committing_app) as url:
        yield url


@pytest.fixture
def hub(committing_app: FastAPI) -> Hub:
    hub: Hub = committing_app.state.hub
    return hub
