"""The rules against samples: each fires when it must, and not otherwise."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from . import burning, conditions
from .cases import RULES, Case, failures, needed, needs_promtool
from .mutants import Mutant, mutants

pytestmark = needs_promtool

LEAST_KILLED = 0.95


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(RULES.read_text())
    return loaded


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [*burning.cases(), *conditions.cases()]


@pytest.mark.slow
def test_they_fire_when_they_must_and_not_otherwise(rules: dict[str, Any], cases: list[Case]) -> None:
    assert failures(rules, cases) == []


def test_a_wrong_bound_is_noticed(rules: dict[str, Any]) -> None:
    of_memory = [case for case in conditions.cases() if case.about == "MemoryNearLimit"]
    assert failures(rules, of_memory) == []
    (saturation,) = (group for group in rules["groups"] if group["name"] == "saturation")
    wrong = yaml.safe_load(yaml.safe_dump(saturation).replace("> 483183821", "> 583183821"))
    assert wrong != saturation
    assert len(failures({"groups": [wrong]}, of_memory)) == 1


def test_each_alert_has_a_case_that_fires_and_one_that_is_silent(
    rules: dict[str, Any], cases: list[Case]
) -> None:
    alerts = {
        " ".join(filter(None, [rule["alert"], rule["labels"].get("window")]))
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    for fires in (True, False):
        shown = {case.about for case in cases if (case.value is not None) == fires}
        assert alerts - shown == (set() if fires else {"Watchdog"})  # it never is


def test_each_recording_is_seen_by_a_case(rules: dict[str, Any], cases: list[Case]) -> None:
    groups = {group["name"]: group for group in rules["groups"]}
    for name, group in groups.items():
        seen = [rule for case in cases if case.group == name for rule in needed(group, case.about)["rules"]]
        assert [rule for rule in group["rules"] if rule not in seen] == []


@pytest.mark.mutants
def test_mistakes_in_the_rules_are_noticed(rules: dict[str, Any], cases: list[Case]) -> None:
    """`uv run task objectives-mutants` prints the score."""
    groups = {group["name"]: group for group in rules["groups"]}
    made = list(mutants(rules))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        killed = list(pool.map(lambda each: is_killed(each, groups[each.group], cases), made))
    survivors = [str(each) for each, is_dead in zip(made, killed, strict=True) if not is_dead]
    kinds = Counter(each.kind for each in made)
    dead = Counter(each.kind for each, is_dead in zip(made, killed, strict=True) if is_dead)
    print(*(f"{kind}: {dead[kind]} of {number}" for kind, number in kinds.items()), sep="\n")  # noqa: T201
    print(f"killed: {sum(killed)} of {len(made)}", *survivors, sep="\n")  # noqa: T201
    assert sum(killed) / len(made) >= LEAST_KILLED


def is_killed(mutant: Mutant, group: Mapping[str, Any], cases: Sequence[Case]) -> bool:
    original = group["rules"][mutant.place]
    changed = {**group, "rules": [*group["rules"]]}
    changed["rules"][mutant.place] = mutant.rule
    concerned = [
        case
        for case in cases
        if case.group == mutant.group and original in needed(group, case.about)["rules"]
    ]
    cheap_first = sorted(concerned, key=lambda case: case.at)
    return any(failures({"groups": [changed]}, [case]) for case in cheap_first)


def test_mistakes_are_made_of_every_kind() -> None:
    expression = 'a{x="y"} / 2 > 0.5\nand b == 10'
    group = {"name": "g", "rules": [{"alert": "A", "expr": expression, "for": "5m"}]}
    made = [(each.kind, re.sub(r"\s+", " ", each.rule["expr"])) for each in mutants({"groups": [group]})]
    assert made == [
        ("flipped", 'a{x="y"} / 2 < 0.5 and b == 10'),
        ("flipped", 'a{x="y"} / 2 > 0.5 and b != 10'),
        ("ten times", 'a{x="y"} / 20 > 0.5 and b == 10'),
        ("a tenth", 'a{x="y"} / 0.2 > 0.5 and b == 10'),
        ("ten times", 'a{x="y"} / 2 > 5 and b == 10'),
        ("a tenth", 'a{x="y"} / 2 > 0.05 and b == 10'),
        ("ten times", 'a{x="y"} / 2 > 0.5 and b == 100'),
        ("a tenth", 'a{x="y"} / 2 > 0.5 and b == 1'),
        ("other matcher", 'a{x!="y"} / 2 > 0.5 and b == 10'),
        ("other sign", 'a{x="y"} * 2 > 0.5 and b == 10'),
        ("a leg less", "b == 10"),
        ("a leg less", 'a{x="y"} / 2 > 0.5'),
        ("for no time", 'a{x="y"} / 2 > 0.5 and b == 10'),
        ("for ten times as long", 'a{x="y"} / 2 > 0.5 and b == 10'),
    ]
