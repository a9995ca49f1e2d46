"""Faults in the running programs raise the right alert at a real Alertmanager, and no other page.

All of them take minutes: `uv run task objectives-e2e`. Three are tried with the other tests.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from objectives.files import make_alerts, make_groups
from tests.data_dirs import used_data_dir
from tests.processes import until

from .faults import FAULTS, Fault, injected
from .programs import CHECK, programs
from .stack import API, WORKER, Stack, needs_programs, receiving
from .traffic import Caller
from .world import Collector, World

pytestmark = needs_programs

SECONDS = 90
# Of those that have two, because a budget can burn fast or slowly, the first one.
SEVERITIES = {alert.name: alert.severity for alert in reversed(make_alerts(make_groups()))}
BRIEF = FAULTS[:3]


@contextmanager
def make_world() -> Iterator[World]:
    collector = Collector()
    collector.open()
    spans = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        receiving() as receivers,
        used_data_dir() as data_dir,
        programs(data_dir, DATABASE_POOL_SIZE="10", **spans) as running,
        Stack(Path(folder), receivers, {API: [running.api_port], WORKER: [running.worker_port]}) as stack,
    ):
        until(lambda: len(stack.query("up == 1")) == 4)
        running.sql(CHECK)
        caller = Caller(running.serving.client, receivers.hook)
        caller.settle_in()
        until(lambda: stack.has("glasswork_schedule_next_run_timestamp_seconds"))
        yield World(stack, running, caller, collector)
    collector.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def raise_and_heal(fault: Fault, world: World) -> tuple[float, float]:
    """Return the seconds until a person was told of it, and from its end until they were told of that."""
    stack, receivers = world.stack, world.stack.receivers
    severity = SEVERITIES[fault.raises]
    # Tickets about the budget that an earlier fault has burnt stay for minutes.
    until(lambda: not stack.has('ALERTS{alertstate="firing",severity="page"}'), SECONDS)
    until(lambda: not stack.has(f'ALERTS{{alertname="{fault.raises}",severity="{severity}"}}'), SECONDS)
    known = len(receivers.notices)
    began = monotonic()
    with injected(fault, world):
        notice = until(lambda: receivers.raised(fault.raises, severity, known), SECONDS)
        raised = monotonic() - began
        ended, before_that = monotonic(), len(receivers.notices)
    until(lambda: receivers.has_ended(notice, before_that), SECONDS)
    healed = monotonic() - ended
    assert notice.receiver == notice.labels["severity"]
    assert "<no value>" not in notice.annotations["summary"]
    assert notice.annotations["runbook_url"].endswith(f"/{fault.raises}.md")
    pages = {
        each.labels["alertname"]
        for each in receivers.notices[known:]
        if (each.receiver, each.status) == ("page", "firing")
    }
    assert pages - {fault.raises} == set()
    return raised, healed


@pytest.mark.long
@pytest.mark.timeout(180)
def test_three_faults_are_told_and_their_end(world: World) -> None:
    for fault in BRIEF:
        raise_and_heal(fault, world)


@pytest.mark.long_faults
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.raises}{fault.inject.__name__}")
def test_a_fault_is_told_and_its_end(world: World, fault: Fault) -> None:
    raised, healed = raise_and_heal(fault, world)
    print(f"{fault.raises}, {fault.inject.__name__[1:]}: {raised:.0f} s, healed {healed:.0f} s")  # noqa: T201
