"""Cases of the objectives: a budget that burns, for long and still, and too many events for chance."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from objectives.files import PLAN
from objectives.plan import SECONDS, Burn, Objective

from .cases import Case, fires, silent

Phase = tuple[int, float, float]
"""Minutes, events a minute, share of them that is bad."""

_OF = 'job="glasswork-api",instance="a"'
_READ = f'{_OF},http_route="/api/v1/tasks/{{task_id}}",http_request_method="GET"'
_WRITE = f'{_OF},http_route="/api/v1/tasks/{{task_id}}",http_request_method="PATCH"'
_REQUESTS, _SECONDS = "http_server_requests_total", "http_server_request_duration_seconds"

GOOD_AND_BAD: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "api-availability": (
        [f'{_REQUESTS}{{{_READ},http_response_status_code="404"}}'],
        [f'{_REQUESTS}{{{_READ},http_response_status_code="503"}}'],
    ),
    "api-read-latency": (
        [f"{_SECONDS}_count{{{_READ}}}", f'{_SECONDS}_bucket{{{_READ},le="0.25"}}'],
        [f"{_SECONDS}_count{{{_READ}}}"],
    ),
    "api-write-latency": (
        [f"{_SECONDS}_count{{{_WRITE}}}", f'{_SECONDS}_bucket{{{_WRITE},le="0.5"}}'],
        [f"{_SECONDS}_count{{{_WRITE}}}"],
    ),
    "job-freshness": (
        [
            'glasswork_job_wait_seconds_count{exported_job="a"}',
            'glasswork_job_wait_seconds_bucket{exported_job="a",le="30.0"}',
        ],
        ['glasswork_job_wait_seconds_count{exported_job="a"}'],
    ),
    "webhook-delivery": (
        [
            'glasswork_webhook_first_answer_seconds_count{held_up="false"}',
            'glasswork_webhook_first_answer_seconds_bucket{held_up="false",le="900.0"}',
        ],
        ['glasswork_webhook_first_answer_seconds_count{held_up="false"}'],
    ),
}
"""The series that grow with a good event, and those that grow with a bad one."""

ELSEWHERE = {
    # What nobody promised: probes and unknown paths fail, other methods are slow.
    f'{_REQUESTS}{{{_OF},http_route="__unmatched__",http_response_status_code="500"}}': "0+500x2000",
    f'{_SECONDS}_count{{{_OF},http_route="/docs",http_request_method="GET"}}': "0+500x2000",
    f'{_SECONDS}_count{{{_OF},http_route="/docs",http_request_method="PATCH"}}': "0+500x2000",
    # Held up by receivers of webhooks, some for long and some not.
    'glasswork_webhook_first_answer_seconds_count{held_up="true"}': "0+500x2000",
    'glasswork_webhook_first_answer_seconds_bucket{held_up="true",le="900.0"}': "0+100x2000",
}


def cases() -> Iterator[Case]:
    for objective in PLAN.objectives:
        for burn in PLAN.burns:
            yield from _of_burn(objective, burn)
        yield from _of_budget(objective)


def _of_burn(objective: Objective, burn: Burn) -> Iterator[Case]:
    group, about = f"objective-{objective.name}", f"{objective.alert} {burn.long}"
    labels = {"window": burn.long, "severity": burn.severity}
    short = int(burn.short[:-1]) * SECONDS[burn.short[-1]] // 60
    fast = burn.factor * objective.budget

    def phases(*parts: tuple[float, float]) -> Sequence[Phase]:
        """Each so many short windows long, with so many times what may be; 50 bad events in all."""
        bad = sum(length * share * fast for length, share in parts) * short
        return [(round(length * short), 50 / bad, share * fast) for length, share in parts]

    def case(make: Callable[..., Case], what: str, history: Sequence[Phase]) -> Case:
        at = sum(length for length, _, _ in history)
        return make(group, about, what, samples(objective, history) | ELSEWHERE, at, **labels)

    yield case(fires, "fast enough", phases((1.4, 1.1)))
    yield case(silent, "not fast enough", phases((1.4, 0.9)))
    yield case(silent, "fast once, and slower now", phases((2.4, 2), (1.2, 0.5)))
    yield case(silent, "fast for a short time", phases((4, 0), (1.2, 2)))
    few = [(length, events * 0.16, share) for length, events, share in phases((1.4, 1.1))]
    yield case(silent, "fast, but only 8 events", few)


def _of_budget(objective: Objective) -> Iterator[Case]:
    """A quarter of what may be."""
    history = [(30, 1000.0, objective.budget / 4)]
    for name, value in (
        ("slo:error_budget_remaining:ratio", "0.75"),
        ("slo:error:ratio30d", f"{objective.budget / 4}"),
        ("slo:objective:ratio", f"{objective.target}"),
        ("slo:total:rate5m", f"{1000 / 60}"),
    ):
        expression = f'count(abs({name}{{slo="{objective.name}"}} / {value} - 1) < 0.01)'
        yield Case(
            f"objective-{objective.name}",
            name,
            "as it was",
            samples(objective, history) | ELSEWHERE,
            30,
            expression,
            1,
        )


def samples(objective: Objective, history: Sequence[Phase]) -> dict[str, str]:
    good_series, bad_series = GOOD_AND_BAD[objective.name]
    made = {}
    for name in dict.fromkeys((*good_series, *bad_series)):
        grows = [
            events * ((1 - share) * (name in good_series) + share * (name in bad_series))
            for _, events, share in history
        ]
        value, parts = 0.0, ["0"]
        for (minutes, _, _), step in zip(history, grows, strict=True):
            parts.append(f"{value + step:.9f}+{step:.9f}x{minutes - 1}")
            value += step * minutes
        made[name] = " ".join(parts)
    return made
