from collections.abc import Callable

import pytest


@pytest.fixture
def limited(change_settings: Callable[..., None]) -> None:
    change_settings(rate_limit_enabled=True)
