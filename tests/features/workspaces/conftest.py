from typing import Any

import pytest

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace


@pytest.fixture
async def owner(callers: Callers) -> Caller:
    return await callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)
