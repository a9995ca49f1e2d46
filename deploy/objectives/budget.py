"""Of each objective: how much is bad, what is left of the budget, and whether that burns too fast."""

from collections.abc import Iterator

from objectives.plan import Burn, Objective, Plan, Tempo
from objectives.rules import Alert, Condition, Group, Recording

INTERVAL = "1m"
"""Of the recordings; a sum of rates over a window, times this, is a number of events."""
BASE = "5m"
MONTH = "30d"


def budget_groups(plan: Plan, tempo: Tempo) -> Iterator[Group]:
    for objective in plan.objectives:
        yield Group(
            f"objective-{objective.name}",
            INTERVAL,
            [
                *_recordings(objective, plan, tempo),
                *(_burning(objective, burn, plan) for burn in plan.burns),
            ],
        )


def _recordings(objective: Objective, plan: Plan, tempo: Tempo) -> Iterator[Recording]:
    """Longer windows are sums over the shortest: they cost little, and busy hours weigh more."""
    labels = {"slo": objective.name}
    slo = f'{{slo="{objective.name}"}}'
    yield Recording(f"slo:bad:rate{BASE}", tempo.fill(objective.bad, BASE), labels)
    yield Recording(f"slo:total:rate{BASE}", tempo.fill(objective.total, BASE), labels)
    windows = dict.fromkeys(window for burn in plan.burns for window in (burn.short, burn.long))
    for window in (*windows, MONTH):
        bad, total = (_sum(f"slo:{kind}:rate{BASE}{slo}", window, tempo) for kind in ("bad", "total"))
        yield Recording(f"slo:error:ratio{window}", f"{bad} / ({total} > 0)", labels)
    for burn in plan.burns:
        bad = _sum(f"slo:bad:rate{BASE}{slo}", burn.long, tempo)
        yield Recording(f"slo:bad:count{burn.long}", f"{bad} * {tempo.count_of(INTERVAL)}", labels)
    yield Recording("slo:objective:ratio", f"vector({objective.target:g})", labels)
    left = f"1 - slo:error:ratio{MONTH}{slo} / {objective.budget:g}"
    yield Recording("slo:error_budget_remaining:ratio", left, labels)


def _sum(series: str, window: str, tempo: Tempo) -> str:
    return series if window == BASE else f"sum_over_time({series}[{tempo.range(window)}])"


def _burning(objective: Objective, burn: Burn, plan: Plan) -> Alert:
    slo = f'{{slo="{objective.name}"}}'
    bound = f"> {burn.factor * objective.budget:.6g}"
    return Alert(
        name=objective.alert,
        severity=burn.severity,
        board=objective.board,
        summary=f"Not kept: {objective.promise}. Over {burn.long} {{{{ $value | humanizePercentage }}}} were"
        f" bad, which uses the budget up {burn.factor:g} times too fast or more.",
        conditions=[
            Condition(f"slo:error:ratio{burn.long}{slo}", bound),
            Condition(f"slo:error:ratio{burn.short}{slo}", bound),
            Condition(f"slo:bad:count{burn.long}{slo}", f">= {plan.least_bad_events}"),
        ],
        labels={"window": burn.long},
    )
