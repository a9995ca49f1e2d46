from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.core.settings import Settings
from tests.conftest import make_client

from .answers import make_offline_app


@pytest.fixture(scope="session")
def offline_app(settings: Settings) -> FastAPI:
    return make_offline_app(settings)


@pytest.fixture
async def offline(offline_app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with make_client(offline_app) as client:
        yield client
