from glasswork.core.events import event_types
from glasswork.core.telemetry.metrics import LABELS, Metrics
from glasswork.core.telemetry.routes import UNMATCHED, Routes
from glasswork.core.telemetry.signals import Signals
from glasswork.features.invariants.models import Rule
from glasswork.worker import JOBS

from .program import listed, make_app

_HEAD = """# Metrics

What `/metrics` answers. Names and units follow OpenTelemetry's
semantic conventions in Prometheus form, `glasswork_` begins the others. A label has one of a closed set of
values: nothing that a caller chooses becomes a series.

With `--workers N` any worker answers for all of them: counters and histograms are sums, of the gauges some
are sums and some the greatest or least. There are no exemplars then, and nothing of the last table.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""

_LABELS = """
## Labels

| Label | Values |
|---|---|
"""

_PROCESS = """
## Of the process, read at the scrape

| Metric | Type | Meaning |
|---|---|---|
"""


async def metrics_page() -> str:
    """Made on an event loop: the signals have one."""
    app = make_app()
    signals: Signals = app.state.signals
    tables = (_declared(signals.metrics), _labels(signals.metrics, app.state.routes), _others(signals))
    return "".join(head + table for head, table in zip((_HEAD, _LABELS, _PROCESS), tables, strict=True))


def _declared(metrics: Metrics) -> str:
    rows = ((each.name, each.kind, listed(each.labels), each.help) for each in metrics.declared)
    return "".join(f"| `{name}` | {kind} | {labels} | {text} |\n" for name, kind, labels, text in rows)


def _labels(metrics: Metrics, routes: Routes) -> str:
    made = {
        "http_route": listed([*sorted({template for _, template in routes.operations}), UNMATCHED]),
        "job": listed(sorted(job.name for job in JOBS)),
        "rule": listed(Rule),
        "type": listed(sorted(event_types())),
    }
    values = LABELS | made
    used = {label for each in metrics.declared for label in each.labels}
    return "".join(f"| `{label}` | {values[label]} |\n" for label in sorted(used))


def _others(signals: Signals) -> str:
    declared = {each.name.removesuffix("_total") for each in signals.metrics.declared}
    families = {family.name: family for family in signals.metrics.registry.collect()}
    return "".join(
        f"| `{name}` | {family.type} | {family.documentation.strip().removesuffix('.')}. |\n"
        for name, family in sorted(families.items())
        if name not in declared
    )
