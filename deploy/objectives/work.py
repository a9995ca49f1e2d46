"""Alerts about what is done beside the requests: jobs, the data's own consistency, and the telling itself."""

from collections.abc import Sequence

from objectives.plan import Plan, Tempo
from objectives.rules import PROCESS, Alert, Condition, Recording

NEWEST_VIOLATIONS = "glasswork:invariant_violations:newest"


def jobs(plan: Plan, tempo: Tempo) -> Sequence[Alert]:
    limits = plan.limits
    return (
        Alert(
            "JobQueueOld",
            "page",
            "jobs",
            "A job that may run has waited for {{ $value | humanizeDuration }}.",
            [
                Condition(
                    "max(glasswork_job_queue_oldest_age_seconds)",
                    f"> {tempo.seconds(limits.queue_age_seconds)}",
                )
            ],
            lasts="2m",
        ),
        Alert(
            "JobDead",
            "ticket",
            "jobs",
            "Jobs that failed for the last time: {{ $value }}.",
            [Condition('max(glasswork_job_queue_depth{state="dead"})', "> 0")],
            lasts="2m",
        ),
        Alert(
            "WorkerHeartbeatStale",
            "page",
            "jobs",
            "No worker has looked at the queue for {{ $value | humanizeDuration }}.",
            [
                Condition(
                    "time() - max(glasswork_worker_heartbeat_timestamp_seconds > 0)",
                    f"> {tempo.seconds(limits.heartbeat_age_seconds)}",
                )
            ],
            lasts="1m",
            mutes=("JobQueueOld", "JobFreshnessBurn", "ScheduleMissed"),
        ),
        Alert(
            "WebhookDeliveriesOld",
            "ticket",
            "jobs",
            "A webhook with something to send has waited for a worker for {{ $value | humanizeDuration }}.",
            [
                Condition(
                    "max(glasswork_webhook_oldest_age_seconds)",
                    f"> {tempo.seconds(limits.webhook_age_seconds)}",
                )
            ],
            lasts="2m",
        ),
        Alert(
            "ScheduleMissed",
            "ticket",
            "jobs",
            "The clock should have ordered {{ $labels.exported_job }} {{ $value | humanizeDuration }} ago.",
            [
                Condition(
                    "time() - max by (exported_job) (glasswork_schedule_next_run_timestamp_seconds)",
                    f"> {tempo.seconds(limits.schedule_overdue_seconds)}",
                )
            ],
            lasts="1m",
        ),
    )


def stream(plan: Plan, tempo: Tempo) -> Sequence[Alert]:
    return (
        Alert(
            "StreamBehind",
            "ticket",
            "jobs",
            "The stream for other services has been incomplete for {{ $value | humanizeDuration }}.",
            [
                Condition(
                    "max(glasswork_stream_behind_seconds)",
                    f"> {tempo.seconds(plan.limits.stream_age_seconds)}",
                )
            ],
            lasts="1m",
        ),
    )


def newest_violations() -> Recording:
    """Of several workers the one that has checked the rule last is right."""
    last = "max by (rule) (glasswork_invariant_checked_timestamp_seconds)"
    right = f"glasswork_invariant_checked_timestamp_seconds == on (rule) group_left () {last}"
    found = f"glasswork_invariant_violations and on (job, instance, rule) ({right})"
    return Recording(NEWEST_VIOLATIONS, f"max by (rule) ({found})")


def data(plan: Plan, tempo: Tempo) -> Sequence[Alert]:
    return (
        Alert(
            "InvariantViolated",
            "ticket",
            "jobs",
            "Rows that break the rule {{ $labels.rule }}: {{ $value }}.",
            [Condition(NEWEST_VIOLATIONS, "> 0")],
        ),
        Alert(
            "InvariantsUnchecked",
            "ticket",
            "jobs",
            "Nobody has checked the rule {{ $labels.rule }} for {{ $value | humanizeDuration }}.",
            [
                Condition(
                    "time() - max by (rule) (glasswork_invariant_checked_timestamp_seconds)",
                    f"> {tempo.seconds(plan.limits.invariants_age_seconds)}",
                )
            ],
            lasts="1m",
        ),
    )


def telemetry(plan: Plan, tempo: Tempo) -> Sequence[Alert]:
    lately = tempo.range("15m")
    lost = [
        f'label_replace(sum by (job, instance) (increase({name}[{lately}])), "signal", "{signal}", "", "")'
        for signal, name in (
            ("spans", "glasswork_spans_dropped_total"),
            ("log lines", "glasswork_log_lines_dropped_total"),
        )
    ]
    unsent = [
        f"sum by (instance) (increase(alertmanager_notifications_failed_total[{lately}]))",
        f"sum by (instance) (increase(prometheus_notifications_dropped_total[{lately}]))",
    ]
    return (
        Alert(
            "TelemetryDropping",
            "ticket",
            "telemetry",
            PROCESS + " has lost {{ $value | humanize }} {{ $labels.signal }}.",
            [Condition("(" + "\nor ".join(lost) + ")", "> 0")],
            lasts="5m",
        ),
        Alert(
            "TelemetryFailing",
            "ticket",
            "telemetry",
            PROCESS + " has bugs in what observes it: {{ $value | humanize }}.",
            [Condition(f"increase(glasswork_telemetry_errors_total[{lately}])", "> 0")],
        ),
        Alert(
            "ScrapeTooLarge",
            "ticket",
            "telemetry",
            PROCESS + " exports {{ $value }} series.",
            [Condition('scrape_samples_scraped{job=~"glasswork-.+"}', f"> {plan.limits.series}")],
            lasts="10m",
        ),
        Alert(
            "RulesFailing",
            "ticket",
            "telemetry",
            "Prometheus could not evaluate {{ $labels.rule_group }} {{ $value | humanize }} times.",
            [Condition(f"increase(prometheus_rule_evaluation_failures_total[{lately}])", "> 0")],
        ),
        Alert(
            "NotificationsFailing",
            "ticket",
            "telemetry",
            "{{ $labels.instance }} could not send {{ $value | humanize }} notifications.",
            [Condition("(" + "\nor ".join(unsent) + ")", "> 0")],
        ),
        Alert(
            "Watchdog",
            "none",
            "telemetry",
            "Always there: whoever gets this no longer knows that alerts arrive no longer.",
            [Condition("vector(1)")],
        ),
    )
