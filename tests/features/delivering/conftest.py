from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.delivering.service import Courier
from tests.core.telemetry.conftest import log
from tests.factories.callers import Caller, Callers
from tests.factories.webhooks import make_webhook, open_courier
from tests.receivers import Receiver

__all__ = ["log"]


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


@pytest.fixture(autouse=True)
def _loopback_is_allowed(committing_app: FastAPI) -> Iterator[None]:
    settings = committing_app.state.settings
    committing_app.state.settings = settings.model_copy(update={"webhook_allow_cidrs": ("127.0.0.0/8",)})
    yield
    committing_app.state.settings = settings


@pytest.fixture
def database(committing_app: FastAPI) -> Database:
    database: Database = committing_app.state.database
    return database


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as receiver:
        yield receiver


@pytest.fixture
async def courier(committing_app: FastAPI) -> AsyncIterator[Courier]:
    async with open_courier(committing_app) as courier:
        yield courier


@pytest.fixture
async def webhook(owner: Caller, workspace: dict[str, Any], receiver: Receiver) -> Any:
    return await make_webhook(owner, workspace, receiver.url, events=["task.created"])
