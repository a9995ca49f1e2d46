"""What rules are made of, and how Prometheus reads them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from objectives.plan import Plan, Severity, Tempo

PROCESS = "{{ $labels.job }} at {{ $labels.instance }}"
"""In the summary of an alert."""


@dataclass(frozen=True)
class Recording:
    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    value: str
    comparison: str = ""
    """Without one, the value itself is there only when something is wrong."""

    def __str__(self) -> str:
        return f"{self.value} {self.comparison}".strip()


@dataclass(frozen=True)
class Alert:
    """All its conditions hold, for as long as it says."""

    name: str
    severity: Severity
    board: str
    summary: str
    conditions: Sequence[Condition]
    lasts: str | None = None
    joined_by: str = "and"
    labels: Mapping[str, str] = field(default_factory=dict)
    mutes: Sequence[str] = ()
    """Alerts that only tell of its consequences."""
    mutes_same_job: Sequence[str] = ()
    """Likewise, where they have the same label `job`."""

    @property
    def expression(self) -> str:
        return f"\n{self.joined_by} ".join(map(str, self.conditions))


@dataclass(frozen=True)
class Group:
    name: str
    interval: str
    rules: Sequence[Recording | Alert]


def render_rules(groups: Iterable[Group], plan: Plan, tempo: Tempo) -> str:
    rendered = [
        {
            "name": group.name,
            "interval": tempo.range(group.interval),
            "rules": [_render(rule, plan, tempo) for rule in group.rules],
        }
        for group in groups
    ]
    return dump({"groups": rendered})


def _render(rule: Recording | Alert, plan: Plan, tempo: Tempo) -> dict[str, Any]:
    if isinstance(rule, Recording):
        labels = {"labels": dict(rule.labels)} if rule.labels else {}
        return {"record": rule.name, "expr": rule.expression, **labels}
    return {
        "alert": rule.name,
        "expr": rule.expression,
        **({"for": tempo.range(rule.lasts)} if rule.lasts else {}),
        "labels": {"severity": rule.severity, **rule.labels},
        "annotations": {
            "summary": rule.summary,
            "runbook_url": f"{plan.runbooks}/{rule.name}.md",
            "dashboard_url": f"{plan.dashboards}/glasswork-{rule.board}",
        },
    }


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def dump(document: Mapping[str, Any]) -> str:
    head = "# Made of deploy/slo.yaml by `uv run task objectives`; a test compares.\n"
    return head + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)
