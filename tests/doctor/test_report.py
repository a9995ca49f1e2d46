"""Exit codes, the shape for programs, the lines for people, and what a signal is worth."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from glasswork.doctor.checklist import HEALTH, P0, P1, SCORE
from glasswork.doctor.findings import ERROR, NOTE, WARNING, Finding
from glasswork.doctor.report import Report, show
from glasswork.doctor.source import Seen

GOOD = Finding("good", ERROR, ok=True, evidence="It is well.")
NAMES = {name for names in (P0, P1, *HEALTH.values(), *SCORE.values()) for name in names}
ALL: dict[str, Seen] = dict.fromkeys(NAMES, (True, "It is so."))


def wrong(severity: Any) -> Finding:
    return Finding("wrong", severity, ok=False, evidence="It is broken.", advice="Mend it.")


@pytest.mark.parametrize(
    ("findings", "exit_code"),
    [
        ([GOOD], 0),
        ([GOOD, wrong(NOTE)], 0),
        ([GOOD, Finding("unseen", NOTE, ok=None, evidence="Not looked at.")], 0),
        ([wrong(NOTE), wrong(WARNING)], 1),
        ([wrong(WARNING), wrong(ERROR), GOOD], 2),
    ],
)
def test_the_worst_decides(findings: list[Finding], exit_code: int) -> None:
    assert Report(findings, ALL).exit_code == exit_code


def test_shape() -> None:
    told = Report([GOOD, wrong(WARNING)], ALL).as_json()
    assert told.keys() == {"checks", "checklist", "health", "score"}
    assert told["checks"][1] == {
        "name": "wrong",
        "severity": "warning",
        "ok": False,
        "evidence": "It is broken.",
        "advice": "Mend it.",
    }
    assert {key: len(lines) for key, lines in told["checklist"].items()} == {"p0": 11, "p1": 8}
    assert told["checklist"]["p0"][0] == {
        "name": "secrets",
        "title": "Secrets",
        "ok": True,
        "evidence": "It is so.",
    }
    assert (told["health"]["points"], told["health"]["of"], len(told["health"]["areas"])) == (16, 16, 8)
    assert {area["of"] for area in told["health"]["areas"].values()} == {2}
    assert (told["score"]["points"], told["score"]["of"]) == (100, 100)
    assert {name: area["of"] for name, area in told["score"]["weights"].items()} == {
        **dict.fromkeys(("types", "errors", "tests", "security"), 15),
        **dict.fromkeys(("performance", "observability", "database", "deployment"), 10),
    }


@pytest.mark.parametrize("ok", [False, None])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_is_broken_or_unseen_costs_its_weight(name: str, ok: bool | None) -> None:
    told = Report([], {**ALL, name: (ok, "It is not.")}).as_json()
    worth = sum(weights.get(name, 0) for weights in SCORE.values())
    assert told["score"]["points"] == 100 - worth
    assert told["health"]["points"] == 16 - sum(names.count(name) for names in map(list, HEALTH.values()))
    lacking = [line["name"] for lines in told["checklist"].values() for line in lines if not line["ok"]]
    assert lacking == [name] * (name in {**P0, **P1})


def test_nothing_seen_is_nothing_reached() -> None:
    told = Report([], {}).as_json()
    assert (told["score"]["points"], told["health"]["points"]) == (0, 0)
    assert {line["ok"] for lines in told["checklist"].values() for line in lines} == {None}


def test_lines_for_people() -> None:
    unseen = [
        Finding(f"unseen_{i}", NOTE, ok=None, evidence="Not looked at: no [bold]time.") for i in range(9)
    ]
    out = StringIO()
    long = Finding("long", NOTE, ok=False, evidence="words " * 40, advice="more " * 40)
    show(Report([GOOD, wrong(NOTE), long, wrong(ERROR), *unseen], ALL), Console(file=out, width=80))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.split()[1:2] == ["wrong"]] == ["error", "note"]
    assert "unseen  9 checks           Not looked at: no [bold]time." in lines
    assert "Health: 16 of 16, critical below 8" in lines
    assert lines[-2] == "1 errors, 0 warnings, 2 notes"
