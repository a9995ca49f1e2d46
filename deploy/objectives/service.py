"""Alerts about the processes: whether they are there, whom they depend on, and what they run out of."""

from collections.abc import Sequence

from objectives.plan import Plan, Tempo
from objectives.rules import PROCESS, Alert, Condition

NEEDED = (
    "http_server_requests_total",
    "glasswork_ready",
    "glasswork_job_wait_seconds_count",
    "glasswork_job_queue_depth",
    "glasswork_webhook_first_answer_seconds_count",
    "glasswork_webhook_oldest_age_seconds",
    "glasswork_worker_heartbeat_timestamp_seconds > 0",  # who is no worker says 0
    "glasswork_schedule_next_run_timestamp_seconds",
    "glasswork_invariant_checked_timestamp_seconds",
)
"""What alerts look at that is there as soon as the processes are; without it they are silent."""

OF_WORK = (
    *("JobFreshnessBurn", "JobQueueOld", "WorkerHeartbeatStale", "ScheduleMissed", "InvariantsUnchecked"),
    *("WebhookDeliveryBurn", "WebhookDeliveriesOld"),
)
OF_REQUESTS = ("ApiAvailabilityBurn", "ApiReadLatencyBurn", "ApiWriteLatencyBurn")
OF_RESOURCES = ("DatabasePoolSaturated", "DatabasePoolTimeouts", "ReadinessFlapping")


def liveness(plan: Plan, tempo: Tempo) -> Sequence[Alert]:
    absent = (
        f'label_replace(absent({series}), "metric", "{series.split()[0]}", "", "")' for series in NEEDED
    )
    changes = f"changes(glasswork_ready[{tempo.range('15m')}])"
    return (
        Alert(
            "ApiDown",
            "page",
            "overview",
            "No API process answers Prometheus.",
            [Condition('sum by (job) (up{job="glasswork-api"})', "== 0")],
            lasts="1m",
            mutes=("MetricAbsent", *OF_REQUESTS),
            mutes_same_job=("TargetDown",),
        ),
        Alert(
            "WorkerDown",
            "page",
            "jobs",
            "No worker answers Prometheus.",
            [Condition('sum by (job) (up{job="glasswork-worker"})', "== 0")],
            lasts="2m",
            mutes=("MetricAbsent", *OF_WORK),
            mutes_same_job=("TargetDown",),
        ),
        Alert(
            "TargetDown",
            "ticket",
            "overview",
            PROCESS + " does not answer Prometheus.",
            [Condition('up{job=~"glasswork-.+|alertmanager|traefik|otel-collector|tempo"}', "== 0")],
            lasts="5m",
        ),
        Alert(
            "TargetAbsent",
            "page",
            "overview",
            "Prometheus knows of no {{ $labels.job }}.",
            [Condition('(absent(up{job="glasswork-api"}) or absent(up{job="glasswork-worker"}))')],
            lasts="5m",
            mutes=("MetricAbsent", *OF_WORK, *OF_REQUESTS),
        ),
        Alert(
            "MetricAbsent",
            "ticket",
            "telemetry",
            "Nobody exports {{ $labels.metric }}, and alerts depend on it.",
            [Condition("(" + "\nor ".join(absent) + ")")],
            lasts="10m",
        ),
        Alert(
            "DependencyLost",
            "page",
            "overview",
            "All of {{ $labels.job }} have lost their {{ $labels.dependency }}.",
            [
                Condition(
                    'max by (job, dependency) (glasswork_dependency_up{dependency!~"queue|redis"})', "== 0"
                )
            ],
            lasts="30s",
            mutes=("MetricAbsent", *OF_WORK, *OF_REQUESTS, *OF_RESOURCES),
        ),
        Alert(
            "ReadinessFlapping",
            "ticket",
            "overview",
            PROCESS + " became ready or unready {{ $value }} times.",
            [Condition(changes, f"> {plan.limits.readiness_changes}")],
        ),
    )


def saturation(plan: Plan, tempo: Tempo) -> Sequence[Alert]:
    limits = plan.limits
    recently, lately = tempo.range("5m"), tempo.range("10m")
    used = 'sum by (job, instance) (db_client_connections{db_client_connection_state="used"})'
    wait = "db_client_connection_wait_time_seconds"
    lag = f"sum by (job, instance, le) (rate(glasswork_event_loop_lag_seconds_bucket[{recently}]))"
    return (
        Alert(
            "DatabasePoolSaturated",
            "ticket",
            "database",
            PROCESS + " uses {{ $value | humanizePercentage }} of its pool, and waits.",
            [
                Condition(
                    f"{used} / sum by (job, instance) (db_client_connection_max)",
                    f"> {limits.pool_used_ratio:g}",
                ),
                Condition(
                    f"sum by (job, instance) (rate({wait}_sum[{recently}]))\n"
                    f"/ sum by (job, instance) (rate({wait}_count[{recently}]))",
                    f"> {limits.pool_wait_seconds:g}",
                ),
            ],
            lasts="5m",
        ),
        Alert(
            "DatabasePoolTimeouts",
            "ticket",
            "database",
            PROCESS + " waited for a connection in vain {{ $value | humanize }} times.",
            [Condition(f"increase(db_client_connection_timeouts_total[{recently}])", "> 0")],
        ),
        Alert(
            "EventLoopLagging",
            "ticket",
            "runtime",
            PROCESS + " has an event loop that wakes up {{ $value | humanizeDuration }} late.",
            [Condition(f"histogram_quantile(0.99, {lag})", f"> {limits.loop_lag_seconds:g}")],
            lasts="10m",
        ),
        Alert(
            "EventLoopBlocked",
            "ticket",
            "runtime",
            PROCESS + " has an event loop that stood still {{ $value | humanize }} times.",
            [
                Condition(
                    f"increase(glasswork_event_loop_blocked_total[{lately}])", f">= {limits.loop_blocks}"
                )
            ],
        ),
        Alert(
            "MemoryNearLimit",
            "ticket",
            "runtime",
            PROCESS + " has {{ $value | humanize1024 }}B; at its limit it is killed.",
            [
                Condition(
                    'process_resident_memory_bytes{job=~"glasswork-.+"}',
                    f"> {limits.memory_ratio * limits.memory_bytes:.0f}",
                )
            ],
            lasts="10m",
        ),
    )
