"""All that was found, as JSON for programs and as lines for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glasswork.doctor.checklist import CRITICAL_BELOW, P0, P1, PRODUCTION_GRADE, UNSEEN, Area, health, score
from glasswork.doctor.findings import ERROR, NOTE, WARNING, Finding, Severity
from glasswork.doctor.source import Seen

EXIT_WARNINGS, EXIT_ERRORS = 1, 2

_MARK_WIDTH, _NAME_WIDTH = 7, 18
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "unseen": "dim", "ok": "green"}
_STYLES |= {"yes": "green", "no": "yellow"}


@dataclass(frozen=True, slots=True)
class Report:
    findings: Sequence[Finding]
    signals: Mapping[str, Seen]

    @property
    def exit_code(self) -> int:
        if self.count(ERROR):
            return EXIT_ERRORS
        return EXIT_WARNINGS if self.count(WARNING) else 0

    def count(self, severity: Severity) -> int:
        return sum(each.ok is False and each.severity is severity for each in self.findings)

    def as_json(self) -> dict[str, Any]:
        areas, weights = health(self.signals), score(self.signals)
        return {
            "checks": [asdict(each) for each in self.findings],
            "checklist": {"p0": self._lines(P0), "p1": self._lines(P1)},
            "health": {
                **_total(areas),
                "areas": {area.name: self._area(area) for area in areas},
            },
            "score": {
                **_total(weights),
                "weights": {area.name: self._area(area) for area in weights},
            },
        }

    def _lines(self, names: Mapping[str, str]) -> list[dict[str, Any]]:
        seen = {name: self.signals.get(name, UNSEEN) for name in names}
        return [
            {"name": name, "title": names[name], "ok": ok, "evidence": words}
            for name, (ok, words) in seen.items()
        ]

    def _area(self, area: Area) -> dict[str, Any]:
        told = {name: (weight, *self.signals.get(name, UNSEEN)) for name, weight in area.weights.items()}
        signals = [
            {"name": name, "weight": weight, "ok": ok, "evidence": words}
            for name, (weight, ok, words) in told.items()
        ]
        return {"points": area.points, "of": area.of, "signals": signals}


def show(report: Report, console: Console) -> None:
    """Write it for people, the worst first."""
    console.print(_heading("Checks"), _checks(report.findings))
    told = report.as_json()
    for key, title in (("p0", "Before others rely on it (P0)"), ("p1", "Soon after (P1)")):
        lines = told["checklist"][key]
        reached = sum(bool(line["ok"]) for line in lines)
        console.print(_heading(f"{title}: {reached} of {len(lines)}"), _list(lines))
    critical = f", critical below {CRITICAL_BELOW}"
    console.print(_heading(f"Health: {_points(told['health'])}{critical}"), _areas(health(report.signals)))
    grade = f", production grade from {PRODUCTION_GRADE} on"
    console.print(_heading(f"Score: {_points(told['score'])}{grade}"), _areas(score(report.signals)))
    counts = (f"{report.count(severity)} {severity.value}s" for severity in (ERROR, WARNING, NOTE))
    console.print(_heading(", ".join(counts)))


def _total(areas: Sequence[Area]) -> dict[str, int]:
    return {"points": sum(area.points for area in areas), "of": sum(area.of for area in areas)}


def _points(total: Mapping[str, int]) -> str:
    return f"{total['points']} of {total['of']}"


def _heading(words: str) -> Text:
    return Text(f"\n{words}\n", style="bold")


def _grid(name_width: int = _NAME_WIDTH) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_MARK_WIDTH)
    grid.add_column(width=name_width)
    grid.add_column()
    return grid


def _mark(word: str) -> Text:
    return Text(word, style=_STYLES[word])


def _word_of(finding: Finding) -> str:
    return "ok" if finding.ok else finding.severity.value


def _checks(findings: Sequence[Finding]) -> Table:
    grid, order = _grid(), ["error", "warning", "note", "ok"]
    seen = [each for each in findings if each.ok is not None]
    for finding in sorted(seen, key=lambda each: order.index(_word_of(each))):
        words = Text(finding.evidence)
        if finding.advice:
            words.append(f"\n{finding.advice}", style="dim")
        grid.add_row(_mark(_word_of(finding)), finding.name, words)
    unseen: dict[str, list[str]] = {}
    for finding in findings:
        if finding.ok is None:
            unseen.setdefault(finding.evidence, []).append(finding.name)
    for evidence, names in unseen.items():
        grid.add_row(_mark("unseen"), f"{len(names)} checks", Text(f"{evidence}\n{', '.join(names)}"))
    return grid


def _list(lines: Sequence[Mapping[str, Any]]) -> Table:
    grid = _grid()
    for line in lines:
        word = "unseen" if line["ok"] is None else "yes" if line["ok"] else "no"
        grid.add_row(_mark(word), line["title"], Text(line["evidence"]))
    return grid


def _areas(areas: Sequence[Area]) -> Table:
    grid = _grid()
    for area in areas:
        lacking = f"without {', '.join(area.lacking)}" if area.lacking else ""
        grid.add_row(Text(f"{area.points}/{area.of}"), area.name, Text(lacking))
    return grid
