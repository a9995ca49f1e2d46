"""All that is made of slo.yaml, by path below deploy/."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from objectives import service, work
from objectives.boards import render_boards
from objectives.budget import budget_groups
from objectives.plan import Plan, Tempo, read_plan
from objectives.routing import render_routing
from objectives.rules import Alert, Group, render_rules

DEPLOY = Path(__file__).parents[1]
PLAN = read_plan(DEPLOY / "slo.yaml")
IN_EARNEST = Tempo()
INTERVAL = "15s"


def make_groups(plan: Plan = PLAN, tempo: Tempo = IN_EARNEST) -> Sequence[Group]:
    return (
        *budget_groups(plan, tempo),
        Group("liveness", INTERVAL, service.liveness(plan, tempo)),
        Group("saturation", INTERVAL, service.saturation(plan, tempo)),
        Group("jobs", INTERVAL, work.jobs(plan, tempo)),
        Group("stream", INTERVAL, work.stream(plan, tempo)),
        Group("data", INTERVAL, [work.newest_violations(), *work.data(plan, tempo)]),
        Group("telemetry", INTERVAL, work.telemetry(plan, tempo)),
    )


def make_alerts(groups: Sequence[Group]) -> Sequence[Alert]:
    return [rule for group in groups for rule in group.rules if isinstance(rule, Alert)]


def make_files(plan: Plan = PLAN, tempo: Tempo = IN_EARNEST) -> Mapping[str, str]:
    groups = make_groups(plan, tempo)
    return {
        "prometheus/rules.yml": render_rules(groups, plan, tempo),
        "alertmanager/alertmanager.yml": render_routing(make_alerts(groups), tempo),
        **{f"grafana/boards/{name}.json": board for name, board in render_boards(plan).items()},
    }
