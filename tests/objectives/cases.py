"""What a case of `promtool test rules` is made of."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

RULES = Path(__file__).parents[2] / "deploy/prometheus/rules.yml"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus"
)


@dataclass(frozen=True)
class Case:
    """These samples, one a minute, and what the rules of a group make of them."""

    group: str
    about: str
    """The alert, with its window if it has one, or the recording."""
    what: str
    series: Mapping[str, str]
    at: int
    """Minutes from the start."""
    expression: str
    value: float | None
    """None: no series."""

    def __str__(self) -> str:
        return f"{self.about}, {self.what}"


def fires(group: str, alert: str, what: str, series: Mapping[str, str], at: int, **labels: str) -> Case:
    return Case(group, alert, what, series, at, _alerts(alert, labels), 1)


def silent(group: str, alert: str, what: str, series: Mapping[str, str], at: int, **labels: str) -> Case:
    return Case(group, alert, what, series, at, _alerts(alert, labels), None)


def _alerts(name: str, labels: Mapping[str, str]) -> str:
    matchers = {"alertname": name.split(maxsplit=1)[0], "alertstate": "firing", **labels}
    return "count(ALERTS{" + ",".join(f'{name}="{value}"' for name, value in matchers.items()) + "})"


def failures(rules: Mapping[str, Any], cases: Iterable[Case]) -> list[str]:
    """Return what promtool says of each case that fails."""
    groups = {group["name"]: group for group in rules["groups"]}
    together: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        together.setdefault((case.group, case.about), []).append(case)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = pool.map(lambda key: _run(needed(groups[key[0]], key[1]), together[key]), together)
        return [failure for each in told for failure in each]


def needed(group: Mapping[str, Any], about: str) -> Mapping[str, Any]:
    """Leave of a group what the rule depends on; promtool would work out all of it at every step."""
    name, _, window = about.partition(" ")
    rules = group["rules"]
    wanted = [
        rule
        for rule in rules
        if name in {rule.get("alert"), rule.get("record")}
        and (not window or rule["labels"].get("window") == window)
    ]
    for rule in wanted:
        named = set(re.findall(r"[a-z_]+:[\w:]+", rule["expr"]))
        wanted += [each for each in rules if each.get("record") in named and each not in wanted]
    return {**group, "rules": [rule for rule in rules if rule in wanted]}


def _run(group: Mapping[str, Any], cases: Sequence[Case]) -> list[str]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "rules.yml").write_text(json.dumps({"groups": [group]}))
        # promtool does not heed the group's own interval
        test = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": group["interval"],
            "tests": list(map(_test, cases)),
        }
        (Path(folder) / "cases.yml").write_text(json.dumps(test))  # JSON is YAML
        command = ["promtool", "test", "rules", f"{folder}/cases.yml"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return [] if done.returncode == 0 else [f"{cases[0].about}: {done.stdout}{done.stderr}"]


def _test(case: Case) -> dict[str, Any]:
    expected = [] if case.value is None else [{"labels": "{}", "value": case.value}]
    return {
        "name": str(case),
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [{"expr": case.expression, "eval_time": f"{case.at}m", "exp_samples": expected}],
    }
