"""What is made of slo.yaml is what is committed, and nothing that it leads to is missing."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric

from glasswork.core.telemetry.catalogue import Declared
from glasswork.core.telemetry.metrics import SECONDS, Metrics
from glasswork.core.telemetry.signals import Signals
from glasswork.core.telemetry.sink import LogHandler
from objectives.files import DEPLOY, PLAN, make_alerts, make_files, make_groups
from objectives.rules import Alert

from .boards import BOARDS, boards, expressions, panels
from .runbooks import RUNBOOKS, SECTIONS, checks, sections

GROUPS = make_groups()
ALERTS = make_alerts(GROUPS)
NOT_USED = {
    "process_virtual_memory_bytes": "the limit is on what is resident",
    "python_gc_objects_collected_total": "the pauses tell what it costs",
    "python_gc_objects_uncollectable_total": "there are none since Python 3.4",
    "python_info": "glasswork_build_info has the version",
}
"""Metrics that no rule and no panel shows, and why."""
OF_OTHERS = {
    *("up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"),
    *("prometheus_rule_evaluation_failures_total", "prometheus_notifications_dropped_total"),
    *("alertmanager_notifications_total", "alertmanager_notifications_failed_total"),
}
_WORDS = re.compile(r"[a-zA-Z_:][\w:]*")
_NOT_NAMES = re.compile(r'"[^"]*"|\[[^]]*\]|\b(by|on|without|group_left|ignoring) \([^)]*\)|\$\w+')
_LABELS = re.compile(r"\{[^}]*\}")
_LANGUAGE = {
    *("sum", "max", "min", "count", "rate", "increase", "changes", "absent", "time", "vector", "and", "or"),
    *("histogram_quantile", "label_replace", "sum_over_time"),
}


def test_committed_is_what_is_made() -> None:
    for path, text in make_files().items():
        assert (DEPLOY / path).read_text() == text, f"{path}: uv run task objectives"


def test_no_board_is_left_over() -> None:
    assert {f"grafana/boards/{path.name}" for path in BOARDS.iterdir()} <= make_files().keys()


@pytest.mark.parametrize("name", sorted({alert.name for alert in ALERTS}))
def test_an_alert_leads_to_a_page_with_all_sections_and_three_checks(name: str) -> None:
    page = RUNBOOKS / f"{name}.md"
    found = sections(page)
    assert tuple(found) == SECTIONS
    assert all(text.strip() for text in found.values())
    assert len(checks(page)) == 3


def test_a_page_is_led_to() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {alert.name for alert in ALERTS}


def test_an_alert_leads_to_a_board() -> None:
    uids = {board["uid"] for board in boards()}
    assert {f"glasswork-{alert.board}" for alert in ALERTS} <= uids


def test_what_is_muted_is_an_alert() -> None:
    names = {alert.name for alert in ALERTS}
    assert {name for alert in ALERTS for name in (*alert.mutes, *alert.mutes_same_job)} <= names


def test_a_bound_of_latency_is_a_bucket() -> None:
    bounds = [
        float(bound)
        for objective in PLAN.objectives
        for bound in re.findall(r'http_\w+\{[^}]*le="([\d.]+)"', objective.bad)
    ]
    assert len(bounds) == 2
    assert set(bounds) <= set(SECONDS)


def test_the_limit_of_memory_is_that_of_the_containers() -> None:
    compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    for name in ("api-1", "api-2", "worker"):
        limit = compose[name]["deploy"]["resources"]["limits"]["memory"]
        assert int(limit.removesuffix("M")) * 1024**2 == PLAN.limits.memory_bytes


class TestBoards:
    def test_take_their_data_from_a_variable(self) -> None:
        for board in boards():
            assert board["templating"]["list"][0]["type"] == "datasource"
            for panel in panels(board):
                assert panel["datasource"]["uid"] == "${source}"
                assert panel["fieldConfig"]["defaults"]["unit"]

    def test_ask_for_rates_over_the_range_that_grafana_finds_right(self) -> None:
        for board, title, expression in expressions():
            assert set(re.findall(r"\[(.+?)\]", expression)) <= {"$__rate_interval"}, f"{board}: {title}"

    def test_have_panels_of_different_names(self) -> None:
        for board in boards():
            titles = [panel["title"] for panel in panels(board)]
            assert len(titles) == len(set(titles))

    def test_are_found_by_grafana(self) -> None:
        (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/glasswork.yml").read_text())[
            "providers"
        ]
        compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
        mounts = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"])
        assert mounts["./deploy/grafana/boards"] == provider["options"]["path"]
        assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"


def asked() -> Iterator[str]:
    """All expressions of rules and panels."""
    for group in yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    yield from (expression for _, _, expression in expressions())


def names_in(expression: str) -> set[str]:
    """The metrics that it asks for."""
    bare = _LABELS.sub("", _NOT_NAMES.sub("", expression))
    return {word for word in _WORDS.findall(bare) if word not in _LANGUAGE}


def exported() -> set[str]:
    """The names of samples that our processes expose."""
    signals = Signals("api", LogHandler(1))
    declared = {name for each in signals.metrics.declared for name in samples_of(each)}
    read = {name for family in signals.metrics.registry.collect() for name in samples_read(family, declared)}
    return declared | read | {"asyncio_tasks", "threadpool_tokens"}  # there are none outside of a loop


def samples_of(metric: Declared) -> set[str]:
    if metric.kind != "histogram":
        return {metric.name}
    return {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}


def samples_read(family: Metric, declared: set[str]) -> set[str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    is_declared = any(each.startswith(family.name) for each in declared)
    return set() if is_declared else {name}


def unknown(names: set[str]) -> set[str]:
    """What rules and panels ask for, and nobody exports."""
    recorded = {rule["record"] for group in _groups() for rule in group["rules"] if "record" in rule}
    return {name for expression in asked() for name in names_in(expression)} - names - recorded - OF_OTHERS


def _groups() -> list[dict[str, list[dict[str, str]]]]:
    groups: list[dict[str, list[dict[str, str]]]] = yaml.safe_load(
        (DEPLOY / "prometheus/rules.yml").read_text()
    )["groups"]
    return groups


class TestMetrics:
    def test_that_are_asked_for_are_exported(self) -> None:
        assert unknown(exported()) == set()

    def test_that_are_exported_are_asked_for_or_waived(self) -> None:
        used = {name for expression in asked() for name in names_in(expression)}
        parts = re.compile(r"_(bucket|count|sum)$")
        families = {parts.sub("", name) for name in exported()} | exported()
        shown = {parts.sub("", name) for name in used} | used
        left = {name for name in families if name not in shown and parts.sub("", name) not in shown}
        assert left - NOT_USED.keys() == set()

    def test_that_are_waived_are_exported_and_not_shown(self) -> None:
        used = {name for expression in asked() for name in names_in(expression)}
        assert NOT_USED.keys() <= exported()
        assert not NOT_USED.keys() & used

    @pytest.mark.slow
    def test_cannot_be_renamed_unnoticed(self) -> None:
        used = {name for expression in asked() for name in names_in(expression)} & exported()
        assert len(used) > 30
        for metric in Metrics().declared:
            if samples_of(metric) & used:
                renamed = exported() - samples_of(metric) | samples_of(
                    Declared(f"new_{metric.name}", metric.kind, "", ())
                )
                assert unknown(renamed) == samples_of(metric) & used


needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="needs amtool: apt-get install prometheus-alertmanager"
)


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@needs_amtool
class TestRouting:
    CONFIGURATION = str(DEPLOY / "alertmanager/alertmanager.yml")

    def test_is_sound(self) -> None:
        assert "SUCCESS" in amtool("check-config", self.CONFIGURATION)

    @pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name} {alert.severity}")
    def test_tells_who_must_know(self, alert: Alert) -> None:
        labels = [f"alertname={alert.name}", f"severity={alert.severity}"]
        expected = "watchdog" if alert.severity == "none" else alert.severity
        routed = amtool("config", "routes", "test", f"--config.file={self.CONFIGURATION}", *labels)
        assert routed == expected

    def test_tells_somebody_of_what_nobody_thought_of(self) -> None:
        options = ["config", "routes", "test", f"--config.file={self.CONFIGURATION}", "alertname=Otter"]
        assert amtool(*options) == "ticket"


def test_addresses_of_receivers_are_put_in_as_they_are(tmp_path: Path) -> None:
    addresses = {name: f"https://{name}.example/a|b?c=1&d=\\1" for name in ("page", "ticket", "watchdog")}
    for name, address in addresses.items():
        (tmp_path / f"{name}_url").write_text(f"{address}\n")
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\ncat "${1#--config.file=}"\n')
    show.chmod(0o755)
    done = subprocess.run(
        ["sh", DEPLOY / "alertmanager/start.sh"],
        env={**os.environ, "ALERTMANAGER": str(show), "RECEIVERS": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    filled = {
        receiver["name"]: receiver["webhook_configs"][0]["url"]
        for receiver in yaml.safe_load(done.stdout)["receivers"]
    }
    assert filled == addresses
