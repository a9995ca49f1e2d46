from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from glasswork.features.realtime.service import Hub
from tests.streams import serving


@pytest.fixture
async def url(committing_app: FastAPI) -> AsyncIterator[str]:
    async with serving(committing_app) as url:
        yield url


@pytest.fixture
def hub(committing_app: FastAPI) -> Hub:
    hub: Hub = committing_app.state.hub
    return hub
