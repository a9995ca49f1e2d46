"""Cases of the alerts that have no budget: just above their bound for long enough, and just not.

A silent case breaks one thing only, so that a rule that lost the condition for it fails.
"""

from collections.abc import Iterator

from .cases import Case, fires, silent

_A = 'job="glasswork-api",instance="a"'
_B = 'job="glasswork-api",instance="b"'
_W = 'job="glasswork-worker",instance="w"'
_MINUTE = 60


def cases() -> Iterator[Case]:
    yield from _liveness()
    yield from _dependencies()
    yield from _pool()
    yield from _process()
    yield from _jobs()
    yield from _stream()
    yield from _data()
    yield from _telemetry()


def _liveness() -> Iterator[Case]:
    up, group = "up{%s}", "liveness"
    for alert, job, minutes in (("ApiDown", _A, 1), ("WorkerDown", _W, 2)):
        yield fires(group, alert, "down", {up % job: "1 0x9"}, 2 + minutes, severity="page")
        yield silent(group, alert, "up", {up % job: "1x9"}, 2 + minutes)
        yield silent(group, alert, "just now", {up % job: "1 1 0x9"}, 2)
        yield silent(group, alert, "of two one", {up % job: "0x9", up % f'{job[:-1]}2"': "1x9"}, 5)
        yield silent(group, alert, "another one", {'up{job="prometheus",instance="p"}': "0x9"}, 5)
    for job in (_A, _W, 'job="alertmanager",instance="m"'):
        yield fires(group, "TargetDown", f"down {job}", {up % job: "1 0x9"}, 7, severity="ticket")
    yield silent(group, "TargetDown", "up", {up % _A: "1x9"}, 9)
    yield silent(group, "TargetDown", "just now", {up % _A: "1x4 0x9"}, 8)
    yield silent(group, "TargetDown", "of another system", {'up{job="node",instance="n"}': "0x9"}, 9)
    both = {up % _A: "1x19", up % _W: "0x19"}
    yield silent(group, "TargetAbsent", "known, if down", both, 12)
    for job, name in ((_A, "glasswork-worker"), (_W, "glasswork-api")):
        yield fires(group, "TargetAbsent", f"no {name}", {up % job: "1x19"}, 6, job=name, severity="page")
    yield silent(group, "TargetAbsent", "just now", {up % _A: "1x19"}, 4)
    yield from _absence()


def _absence() -> Iterator[Case]:
    needed = (
        "http_server_requests_total",
        "glasswork_ready",
        "glasswork_job_wait_seconds_count",
        "glasswork_job_queue_depth",
        "glasswork_webhook_first_answer_seconds_count",
        "glasswork_webhook_oldest_age_seconds",
        "glasswork_worker_heartbeat_timestamp_seconds",
        "glasswork_schedule_next_run_timestamp_seconds",
        "glasswork_invariant_checked_timestamp_seconds",
    )
    group, alert = "liveness", "MetricAbsent"
    there = {f"{name}{{{_A}}}": "1x19" for name in needed}
    yield silent(group, alert, "all there", there, 15)
    for name in needed:
        left = {series: values for series, values in there.items() if not series.startswith(name)}
        yield fires(group, alert, f"no {name}", left, 12, metric=name, severity="ticket")
        yield silent(group, alert, f"no {name} for a moment", left, 9)
    beat = f"glasswork_worker_heartbeat_timestamp_seconds{{{_A}}}"
    yield fires(group, alert, "only of who is no worker", there | {beat: "0x19"}, 12)


def _dependencies() -> Iterator[Case]:
    lost = f'glasswork_dependency_up{{{_A},dependency="database"}}'
    others = f'glasswork_dependency_up{{{_B},dependency="database"}}'
    queue = f'glasswork_dependency_up{{{_A},dependency="queue"}}'
    group, alert = "liveness", "DependencyLost"
    yield fires(group, alert, "by all", {lost: "1 0x9", others: "1 0x9"}, 3, severity="page")
    yield silent(group, alert, "by one of two", {lost: "0x9", others: "1x9"}, 3)
    yield silent(group, alert, "back at once", {lost: "1 0 1x9"}, 3)
    yield silent(group, alert, "that is there", {lost: "1x9"}, 3)
    yield silent(group, alert, "just now", {lost: "1 1 1 0x9"}, 3)
    yield silent(group, alert, "the queue has an alert of its own", {queue: "0x9"}, 3)
    ready, alert = f"glasswork_ready{{{_A}}}", "ReadinessFlapping"
    yield fires(group, alert, "five times", {ready: "1x5 0 1 0 1 0x9"}, 14, severity="ticket")
    yield silent(group, alert, "four times", {ready: "1x5 0 1 0 1x9"}, 14)
    yield silent(group, alert, "five times, long ago", {ready: "1x5 0 1 0 1 0x40"}, 40)
    yield silent(group, alert, "away and back", {ready: "1x5 0x5 1x5"}, 14)


def _pool() -> Iterator[Case]:
    group, alert, at = "saturation", "DatabasePoolSaturated", 14

    def pool(used: float, wait: float) -> dict[str, str]:
        name = "db_client_connection"
        return {
            f'{name}s{{{_A},db_client_connection_state="used"}}': f"{used}x20",
            f'{name}s{{{_A},db_client_connection_state="idle"}}': f"{20 - used}x20",
            f"{name}_max{{{_A}}}": "20x20",
            f"{name}_wait_time_seconds_sum{{{_A}}}": f"0+{wait * 600}x20",
            f"{name}_wait_time_seconds_count{{{_A}}}": "0+600x20",
        }

    yield fires(group, alert, "used, and waited for", pool(19, 0.06), at, severity="ticket")
    yield silent(group, alert, "used, and not waited for", pool(19, 0.04), at)
    yield silent(group, alert, "waited for, and free", pool(17, 0.06), at)
    yield silent(group, alert, "idle", pool(1, 0.001), at)
    yield silent(group, alert, "just now", pool(19, 0.06), 4)
    timeouts, alert = f"db_client_connection_timeouts_total{{{_A}}}", "DatabasePoolTimeouts"
    yield fires(group, alert, "one", {timeouts: "0x9 1x9"}, 11, severity="ticket")
    yield silent(group, alert, "none", {timeouts: "3x19"}, 11)
    yield silent(group, alert, "one, long ago", {timeouts: "0x3 1x19"}, 14)


def _process() -> Iterator[Case]:
    group, alert = "saturation", "EventLoopLagging"

    def lag(late: float, bound: str = "0.25") -> dict[str, str]:
        """Of a hundred wakings a minute so many are late, by up to the bound."""
        bucket = f"glasswork_event_loop_lag_seconds_bucket{{{_A},le="
        return {
            f'{bucket}"0.005"}}': f"0+{1000 - 10 * late}x30",
            f'{bucket}"0.1"}}': f"0+{1000 - 10 * late * (bound > '0.1')}x30",
            f'{bucket}"0.25"}}': "0+1000x30",
            f'{bucket}"+Inf"}}': "0+1000x30",
        }

    yield fires(group, alert, "2 % late", lag(2), 20, severity="ticket")
    yield silent(group, alert, "0.5 % late", lag(0.5), 20)
    yield silent(group, alert, "2 % a little late", lag(2, "0.1"), 20)
    yield silent(group, alert, "just now", lag(2), 9)
    blocked, alert = f"glasswork_event_loop_blocked_total{{{_A}}}", "EventLoopBlocked"
    yield fires(group, alert, "four times", {blocked: "0x5 4x9"}, 9, severity="ticket")
    yield silent(group, alert, "twice", {blocked: "0x5 2x9"}, 9)
    yield silent(group, alert, "four times, long ago", {blocked: "0x5 4x30"}, 25)
    memory, alert = f"process_resident_memory_bytes{{{_A}}}", "MemoryNearLimit"
    yield fires(group, alert, "490 MB", {memory: "490000000x30"}, 12, severity="ticket")
    yield silent(group, alert, "480 MB", {memory: "480000000x30"}, 12)
    yield silent(group, alert, "just now", {memory: "490000000x30"}, 9)
    others = 'process_resident_memory_bytes{job="prometheus",instance="p"}'
    yield silent(group, alert, "of another program", {others: "900000000x30"}, 12)


def _jobs() -> Iterator[Case]:
    group, alert = "jobs", "JobQueueOld"
    age = f"glasswork_job_queue_oldest_age_seconds{{{_W}}}"
    yield fires(group, alert, "five minutes", {age: "310x9"}, 4, severity="page")
    yield silent(group, alert, "not so long", {age: "290x9"}, 4)
    yield silent(group, alert, "just now", {age: "310x9"}, 1)
    dead, alert = f'glasswork_job_queue_depth{{{_W},state="dead"}}', "JobDead"
    waiting = f'glasswork_job_queue_depth{{{_W},state="waiting"}}'
    yield fires(group, alert, "one", {dead: "1x9"}, 4, severity="ticket")
    yield silent(group, alert, "none", {dead: "0x9", waiting: "7x9"}, 4)
    yield silent(group, alert, "just now", {dead: "1x9"}, 1)
    beat, alert = f"glasswork_worker_heartbeat_timestamp_seconds{{{_W}}}", "WorkerHeartbeatStale"
    other = beat.replace('"w"', '"v"')
    yield fires(group, alert, "all asleep", {beat: "1x19", other: "1x19"}, 5, severity="page")
    yield silent(group, alert, "of two one", {beat: "1x19", other: f"1+{_MINUTE}x19"}, 5)
    yield silent(group, alert, "awake", {beat: f"1+{_MINUTE}x19"}, 9)
    yield silent(group, alert, "not for long", {beat: "1x19"}, 3)
    yield silent(group, alert, "just now", {beat: "30x19"}, 4)
    yield silent(group, alert, "of who is no worker", {beat.replace(_W, _A): "0x19"}, 9)
    run = f'glasswork_schedule_next_run_timestamp_seconds{{{_W},exported_job="retention.purge"}}'
    alert = "ScheduleMissed"
    yield fires(group, alert, "overdue", {run: "0x99"}, 17, severity="ticket", exported_job="retention.purge")
    yield silent(group, alert, "late", {run: "0x99"}, 14)
    yield silent(group, alert, "just now", {run: "30x99"}, 16)
    yield silent(group, alert, "not yet", {run: "9999x99"}, 20)
    elsewhere = run.replace('"w"', '"v"')
    yield silent(group, alert, "known to another worker", {run: "0x99", elsewhere: "9999x99"}, 20)
    age, alert = f"glasswork_webhook_oldest_age_seconds{{{_W}}}", "WebhookDeliveriesOld"
    yield fires(group, alert, "ten minutes", {age: "610x9"}, 4, severity="ticket")
    yield silent(group, alert, "not so long", {age: "590x9"}, 4)
    yield silent(group, alert, "just now", {age: "610x9"}, 1)


def _stream() -> Iterator[Case]:
    behind = f"glasswork_stream_behind_seconds{{{_W}}}"
    other = behind.replace('"w"', '"v"')
    group, alert = "stream", "StreamBehind"
    yield fires(group, alert, "for five minutes", {behind: "310x9", other: "0x9"}, 4, severity="ticket")
    yield silent(group, alert, "not so long", {behind: "290x9"}, 4)
    yield silent(group, alert, "just now", {behind: "0x3 310x9"}, 4)


def _data() -> Iterator[Case]:
    group, alert = "data", "InvariantViolated"
    found, checked = "glasswork_invariant_violations", "glasswork_invariant_checked_timestamp_seconds"
    here, there = f'{{{_W},rule="a"}}', f'{{{_W},rule="a"}}'.replace('"w"', '"v"')

    def told(violations: int, then: int, by: str) -> dict[str, str]:
        return {f"{found}{by}": f"{violations}x99", f"{checked}{by}": f"{then}x99"}

    yield fires(group, alert, "one row", told(1, 60, here), 3, severity="ticket", rule="a")
    yield silent(group, alert, "none", told(0, 60, here), 3)
    yield fires(group, alert, "found last", told(1, 120, here) | told(0, 60, there), 3)
    yield silent(group, alert, "healed since", told(1, 60, here) | told(0, 120, there), 3)
    newest = "glasswork:invariant_violations:newest"
    series = told(5, 120, here) | told(7, 60, there)
    yield Case(group, newest, "of who checked last", series, 3, f'sum({newest}{{rule="a"}})', 5)
    alert = "InvariantsUnchecked"
    yield fires(group, alert, "for half an hour", told(0, 0, here), 32, severity="ticket", rule="a")
    yield silent(group, alert, "not for long", told(0, 0, here), 29)
    yield silent(group, alert, "just now", told(0, 30, here), 31)
    yield silent(group, alert, "by one of two", told(0, 0, here) | told(0, 1800, there), 32)


def _telemetry() -> Iterator[Case]:
    group, alert = "telemetry", "TelemetryDropping"
    spans = f"glasswork_spans_dropped_total{{{_A}}}"
    lines = f'glasswork_log_lines_dropped_total{{{_A},reason="queue_full"}}'
    none = {spans: "0x99", lines: "0x99"}
    yield fires(group, alert, "spans", none | {spans: "0x5 1x99"}, 13, severity="ticket", signal="spans")
    yield fires(group, alert, "lines", none | {lines: "0x5 1x99"}, 13, signal="log lines")
    yield silent(group, alert, "none", none, 13)
    yield silent(group, alert, "just now", none | {spans: "0x9 1x99"}, 13)
    yield silent(group, alert, "long ago", none | {spans: "0x5 1x99"}, 40)
    for alert, counter in (
        ("TelemetryFailing", f"glasswork_telemetry_errors_total{{{_A}}}"),
        ("RulesFailing", 'prometheus_rule_evaluation_failures_total{rule_group="x"}'),
        ("NotificationsFailing", 'alertmanager_notifications_failed_total{integration="webhook"}'),
        ("NotificationsFailing", 'prometheus_notifications_dropped_total{instance="p"}'),
    ):
        yield fires(group, alert, f"{counter} once", {counter: "0x5 1x99"}, 9, severity="ticket")
        yield silent(group, alert, f"{counter} never", {counter: "5x99"}, 9)
        yield silent(group, alert, f"{counter} long ago", {counter: "0x5 1x99"}, 40)
    size, alert = f"scrape_samples_scraped{{{_A}}}", "ScrapeTooLarge"
    yield fires(group, alert, "6100", {size: "6100x30"}, 12, severity="ticket")
    yield silent(group, alert, "5900", {size: "5900x30"}, 12)
    yield silent(group, alert, "just now", {size: "6100x30"}, 9)
    yield silent(
        group, alert, "of another program", {'scrape_samples_scraped{job="node",instance="n"}': "9000x30"}, 12
    )
    yield fires(group, "Watchdog", "always", {}, 1, severity="none")
