"""How a panel and a board look; what they show stands in boards.py."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
WIDTH, HEIGHT = 8, 8
R = "$__rate_interval"
PLACE = "{{job}} {{instance}}"

Unit = Literal["percentunit", "s", "reqps", "cps", "bytes", "short", "dateTimeFromNow"]


@dataclass(frozen=True)
class Panel:
    title: str
    unit: Unit
    queries: Mapping[str, str]
    """By their legend."""
    description: str = ""
    is_number: bool = False
    """The last value, large, instead of a curve."""
    has_exemplars: bool = False


@dataclass(frozen=True)
class Board:
    name: str
    title: str
    rows: Mapping[str, Sequence[Panel]]
    variables: Mapping[str, str] = field(default_factory=dict)
    """The query of each variable, by its name."""


def rate(counter: str, by: str) -> str:
    return f"sum by ({by}) (rate({counter}[{R}]))"


def quantile(share: float, histogram: str, by: str = "", labels: str = "") -> str:
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({histogram}_bucket{{{labels}}}[{R}])))"


def quantiles(histogram: str, labels: str = "") -> Mapping[str, str]:
    return {f"p{share * 100:g}": quantile(share, histogram, labels=labels) for share in (0.5, 0.95, 0.99)}


def render_board(board: Board) -> str:
    source = dashboard.DatasourceVariable("source").type("prometheus").label("Prometheus")
    made = (
        dashboard.Dashboard(f"Glasswork: {board.title}")
        .uid(f"glasswork-{board.name}")
        .tags(["glasswork"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("utc")
        .readonly()
        .with_variable(source)
    )
    for name, query in board.variables.items():
        made = made.with_variable(_variable(name, query))
    for title, panels in board.rows.items():
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(_panel(panel))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(made.build())), indent=1) + "\n"


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
    )


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made = stat.Panel() if panel.is_number else _curve()
    made = made.title(panel.title).description(panel.description).unit(panel.unit)
    made = made.datasource(SOURCE).span(WIDTH).height(HEIGHT)
    for place, (legend, query) in enumerate(panel.queries.items()):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + place)).datasource(SOURCE)
        target = target.expr(query).legend_format(legend).exemplar(panel.has_exemplars)
        made = made.with_target(target.instant() if panel.is_number else target.range())
    return made


def _curve() -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(show_legend=True)
    return timeseries.Panel().min(0).fill_opacity(10).legend(legend.placement(LegendPlacement.BOTTOM))
