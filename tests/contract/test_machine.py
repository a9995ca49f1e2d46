"""Work tracking beside a model of it: `MODEL_STEPS=20000 uv run task model` takes other steps each time."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import Tracker

STEPS_EACH = 50


@pytest.mark.acceptance
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_api_and_the_model_show_the_same(live: str) -> None:
    steps = int(os.environ.get("MODEL_STEPS", "2000"))
    Tracker.base_url = live
    run_state_machine_as_test(
        Tracker,
        settings=settings(
            max_examples=max(1, steps // STEPS_EACH),
            stateful_step_count=STEPS_EACH,
            deadline=None,
            derandomize="MODEL_STEPS" not in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
