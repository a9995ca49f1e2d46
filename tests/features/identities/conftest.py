from collections.abc import AsyncIterator, Callable

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.core.db import Database
from tests.conftest import make_client
from tests.core.telemetry.conftest import log
from tests.features.credentials.letters import Postman

from .provider import Provider, knowing

__all__ = ["log"]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def browser(
    app: FastAPI, database: Database, provider: Provider, change_settings: Callable[..., None]
) -> AsyncIterator[AsyncClient]:
    """Ada's, of an installation that knows the provider as `acme`."""
    change_settings(public_url="http://localhost")
    app.state.database = database
    async with knowing(app, provider), make_client(app) as browser:
        yield browser


@pytest.fixture
def postman(app: FastAPI, database: Database) -> Postman:
    return Postman(app, database)
