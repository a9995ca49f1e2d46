"""Charts as SVG and PNG; for child processes, since they cost seconds, and memory that no server needs.

Matplotlib is imported when something is drawn, so that nobody else pays for it.
"""

import io
import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import ceil
from typing import Any, Final
from unicodedata import east_asian_width

_MEMORY: Final = 2 << 30
_CPU_SECONDS: Final = 60

_DPI: Final = 96  # CSS pixels: what is 800 of them wide here is so in a browser
_WIDTH: Final = 800
_HEIGHTS: Final = {1: 450, 2: 640}
_MAX_TICKS: Final = 8
_CROWD: Final = 2000
"""Of points: so many are one picture in an SVG, which would else grow with them."""
_TITLE_WIDTH, _NAME_WIDTH = 80, 30
_STYLES: Final = ("-", "--", ":")  # told apart without colours, too
_GREY, _INK = "#d0d0d0", "#222222"
_FONTS: Final = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Noto Sans Arabic"),
    *("Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Emoji", "Symbola"),
)
"""Those that are there are asked for a letter one after the other; a browser has its own besides."""


class Colour(StrEnum):
    """Of Okabe and Ito: told apart by the colour-blind, too."""

    BLUE = "#0072b2"
    ORANGE = "#e69f00"
    GREEN = "#009e73"
    PURPLE = "#cc79a7"


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    colour: Colour
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Lines:
    """A value of each series for each day."""

    y_label: str
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class Areas:
    """Likewise, and they stand on one another: the first at the bottom."""

    y_label: str
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class Points:
    """Each a number of days after the first one began, with named levels across all of them."""

    y_label: str
    name: str
    points: Sequence[tuple[float, float]]
    levels: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bars:
    """One for each of the days."""

    y_label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Rows:
    """Lying bars, one for each name, whose series follow one another."""

    y_label: str
    names: Sequence[str]
    series: Sequence[Series]


Panel = Lines | Areas | Points | Bars | Rows
_PLACES: Final[Mapping[type[Panel], tuple[float, float, float]]] = {
    Lines: (0, 0, 0),
    Bars: (0, -0.5, 0.5),
    Areas: (0.5, 0, 1),
    Points: (0.5, 0, 1),
}
"""Where the tick of the first day stands, where the axis begins, and how far it goes on from the last day."""


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    x_label: str
    days: Sequence[date]
    """What the axis of time shows; Rows have none."""
    panels: Sequence[Panel]
    """One or two, above each other; none: there is nothing to show."""


@dataclass(frozen=True, slots=True)
class Drawing:
    svg: str
    png: bytes


def limit_resources() -> None:
    """Of this process, which is a child: a chart that needs more fails, and nothing else."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # each thread would take its share of the memory


def draw(chart: Chart) -> Drawing:
    """The same chart gives the same SVG."""
    from matplotlib import rc_context  # noqa: PLC0415 (as told above)
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(_style(chart.title)):
        height = _HEIGHTS.get(len(chart.panels), _HEIGHTS[1])
        figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
        figure.suptitle(_short(chart.title, _TITLE_WIDTH), x=0.01, ha="left", fontweight="bold")
        if chart.panels:
            _draw_panels(figure, chart)
        else:
            figure.text(0.5, 0.5, "Nothing to show in this period", ha="center", color=_INK, fontsize=12)
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", metadata={"Software": None})
    return Drawing(svg.getvalue(), png.getvalue())


def _style(salt: str) -> Any:
    from matplotlib.font_manager import fontManager  # noqa: PLC0415

    installed = set(fontManager.get_font_names())
    return {
        "font.family": [name for name in _FONTS if name in installed],
        "font.size": 9,
        "figure.titlesize": 11,
        "text.parse_math": False,  # a dollar in a name is a dollar
        "svg.fonttype": "none",  # text that can be read, found, and shown in whatever fonts there are
        "svg.hashsalt": salt,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "grid.color": _GREY,
        "grid.linewidth": 0.6,
    }


def _draw_panels(figure: Any, chart: Chart) -> None:
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
    axes = figure.subplots(len(chart.panels), squeeze=False)[:, 0]
    for axis, panel in zip(axes, chart.panels, strict=True):
        match panel:
            case Lines():
                _draw_lines(axis, panel)
            case Areas():
                _draw_areas(axis, panel)
            case Points():
                _draw_points(axis, panel)
            case Bars():
                axis.bar(range(len(panel.values)), panel.values, width=0.7, color=Colour.BLUE)
            case Rows():
                _draw_rows(axis, panel)
        _scale(axis, chart, panel)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)


def _draw_lines(axis: Any, panel: Lines) -> None:
    for each, style in zip(panel.series, _STYLES, strict=False):
        marker = "o" if len(each.values) == 1 else None
        axis.plot(
            each.values, label=each.name, color=each.colour, linestyle=style, linewidth=2, marker=marker
        )


def _draw_areas(axis: Any, panel: Areas) -> None:
    """A day has a width, so that a single one is seen, too."""
    edges = range(len(panel.series[0].values) + 1)
    below = [0.0] * len(panel.series[0].values)
    for each in panel.series:
        above = [low + value for low, value in zip(below, each.values, strict=True)]
        axis.stairs(above, edges, baseline=below, fill=True, label=each.name, color=each.colour)
        below = above


def _draw_points(axis: Any, panel: Points) -> None:
    x, y = zip(*panel.points, strict=True)
    is_crowd = len(panel.points) > _CROWD
    axis.scatter(
        *(x, y), s=18, color=Colour.BLUE, alpha=0.6, linewidths=0, label=panel.name, rasterized=is_crowd
    )
    colours = (Colour.GREEN, Colour.ORANGE, Colour.PURPLE)
    for (name, level), colour, style in zip(panel.levels.items(), colours, _STYLES, strict=True):
        axis.axhline(level, label=name, color=colour, linestyle=style, linewidth=1.8)


def _draw_rows(axis: Any, panel: Rows) -> None:
    places = range(len(panel.names))
    left = [0.0] * len(panel.names)
    for each in panel.series:
        axis.barh(places, each.values, left=left, label=each.name, color=each.colour, height=0.7)
        left = [start + value for start, value in zip(left, each.values, strict=True)]
    axis.set_yticks(places, [_short(name, _NAME_WIDTH) for name in panel.names])
    axis.invert_yaxis()  # the first on top


def _scale(axis: Any, chart: Chart, panel: Panel) -> None:
    """Name the axes, begin them at zero, and write no more on them than there is room for."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axis.set_xlabel(chart.x_label)
    axis.set_ylabel(panel.y_label)
    numbers = MaxNLocator(nbins=6, integer=not isinstance(panel, Points), min_n_ticks=1)
    if isinstance(panel, Rows):
        axis.xaxis.set_major_locator(numbers)
        axis.set_xlim(left=0)
        axis.grid(axis="x")
        return
    axis.yaxis.set_major_locator(numbers)
    axis.grid(axis="y")
    axis.set_ylim(bottom=0, top=None if axis.get_ylim()[1] > 1 else 1)
    count = len(chart.days)
    places = range(0, count, ceil(count / _MAX_TICKS))
    middle, left, right = _PLACES[type(panel)]
    axis.set_xticks([place + middle for place in places], [chart.days[place].isoformat() for place in places])
    axis.set_xlim(left, max(count - 1 + right, left + 1))


def _short(text: str, width: int) -> str:
    """What XML cannot hold becomes a space; a letter as wide as high counts twice."""
    shown = ""
    for letter in text:
        width -= 2 if east_asian_width(letter) in "WF" else 1
        if width < 0:
            return f"{shown.rstrip()}…"
        shown += letter if letter.isprintable() else " "
    return shown
