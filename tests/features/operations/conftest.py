from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.core.instance import Instance
from glasswork.core.peers import Peers
from glasswork.core.settings import Settings
from glasswork.core.telemetry.recorder import Recorder
from glasswork.features.accounts.models import SystemRole
from glasswork.features.operations.service import FrameService
from tests.factories.callers import Caller, Callers


@pytest.fixture(scope="package")
def app(settings: Settings) -> FastAPI:
    """Not the shared one, which remembers what other tests did."""
    return create_app(settings)


@pytest.fixture
def committing_app(own_app: FastAPI) -> FastAPI:
    return own_app


@pytest.fixture(autouse=True)
async def _peers(app: FastAPI, database: Database) -> AsyncIterator[None]:
    """Without a lifespan: this process alone, and with nothing to remember yet."""
    signals = app.state.signals
    vars(signals.recorder).update(vars(Recorder()))
    app.state.peers = Peers(Instance(signals, signals.recorder, app.state.health), app.state.keys.peers)
    app.state.frames = FrameService(database, app.state.peers)
    peers = app.state.peers
    yield
    await peers.close()


@pytest.fixture
async def admin(callers: Callers) -> Caller:
    return await callers.user(SystemRole.ADMIN)
