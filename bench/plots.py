"""The pictures of docs/performance.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from journeys import JOURNEYS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from results import APP, CEILING, Results, app_us, database_us, ratio
from targets import TARGETS

IMAGES = Path(__file__).parents[1] / "docs/images"
INK, GREY, APP_COLOR, CEILING_COLOR, MISSED = "#24292f", "#8c959f", "#2f6fab", "#9ec5e8", "#c2410c"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "figure.facecolor": "white",
    "svg.hashsalt": "glasswork",  # the same numbers make the same file
}
THICK = 0.38
"""Of a bar; two stand at each name."""


def draw(results: Results, folder: Path = IMAGES) -> None:
    """Write `performance-cpu.svg`, `performance-targets.svg` and `performance-growth.svg`."""
    with mpl.rc_context(STYLE):
        for name, picture in {
            "cpu": _cpu(results),
            "targets": _targets(results),
            "growth": _growth(results),
        }.items():
            path = folder / f"performance-{name}.svg"
            picture.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def _cpu(results: Results) -> Figure:
    """App CPU of each journey beside the ceiling's, with how many times it is."""
    journeys = [journey for journey in JOURNEYS if results.costs(journey.name, CEILING)]
    figure = Figure(figsize=(8, 0.62 * len(journeys) + 1.2))
    axes = figure.subplots()
    for row, journey in enumerate(journeys):
        own, least = (results.cost(app_us, journey.name, server) or 0 for server in (APP, CEILING))
        is_first = row == 0
        axes.barh(row - THICK / 2, own, THICK, color=APP_COLOR, label="Glasswork" if is_first else None)
        label = "bare ASGI and asyncpg" if is_first else None
        axes.barh(row + THICK / 2, least, THICK, color=CEILING_COLOR, label=label)
        text = f"  {own:,.0f} µs, {own / least:.1f} x"
        axes.text(own, row - THICK / 2, text, va="center", fontsize=9)
        axes.text(least, row + THICK / 2, f"  {least:,.0f}", va="center", fontsize=9, color=GREY)
    axes.set_xscale("log")
    axes.set_yticks(range(len(journeys)), [journey.title for journey in journeys])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.22)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("CPU of the app per request, µs (logarithmic)")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return figure


def _targets(results: Results) -> Figure:
    """What was measured as a share of what must be held: left of the line it holds."""
    found = [(target, target.measured(results)) for target in TARGETS]
    rows = [(target, value) for target, value in found if value is not None]
    figure = Figure(figsize=(8, 0.34 * len(rows) + 1.2))
    axes = figure.subplots()
    for row, (target, value) in enumerate(rows):
        share = value / target.must
        axes.barh(row, share, 0.62, color=APP_COLOR if share <= 1 else MISSED)
        axes.annotate(
            f"{value:,.3g}{target.unit}",
            (share, row),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            bbox={"color": "white", "pad": 1, "linewidth": 0},
        )
        if target.reach is not None:
            axes.plot([target.reach / target.must] * 2, [row - 0.4, row + 0.4], color=INK, lw=1.6)
    axes.axvline(1, color=MISSED, lw=1, ls="--")
    axes.text(1, -0.9, "must", ha="center", color=MISSED, fontsize=9)
    axes.set_yticks(range(len(rows)), [target.title for target, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.02)
    axes.set_xlabel("measured, as a share of the target (black: what was reached for)")
    return figure


def _growth(results: Results) -> Figure:
    """CPU per request where there are more tasks, against the fewest."""
    sizes = sorted({sample.tasks for sample in results.samples})
    figure = Figure(figsize=(8, 3))
    left, right = figure.subplots(1, 2, sharey=True)
    _grown(left, results, sizes, "get", "get a task")
    _grown(right, results, sizes, "list", "list 50 tasks")
    left.set_ylabel("CPU per request, times\nthat of the fewest tasks")
    right.legend(frameon=False, loc="upper left")
    figure.subplots_adjust(wspace=0.08)
    return figure


def _grown(axes: Axes, results: Results, sizes: Sequence[int], journey: str, title: str) -> None:
    for of, name, color in ((app_us, "app", APP_COLOR), (database_us, "PostgreSQL", GREY)):
        least = results.cost(of, journey, APP, sizes[0])
        times = [ratio(results.cost(of, journey, APP, size), least) or float("nan") for size in sizes]
        axes.plot(sizes, times, marker="o", color=color, label=name)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, max(2, axes.get_ylim()[1]))
    axes.margins(x=0.1)
    axes.grid(visible=True, axis="y")
    axes.set_xlabel("tasks")
    axes.set_title(title, fontsize=10)
