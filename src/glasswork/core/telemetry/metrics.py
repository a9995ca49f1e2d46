"""Every metric of the process, with the values that its labels can have.

Names follow OpenTelemetry's conventions in Prometheus form; those that it has no name for begin with
`glasswork_`. No label holds what a caller can choose: a value outside its set is counted under another one.
"""

from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any

from glasswork.core.streams import Ending
from glasswork.core.telemetry.catalogue import Catalogue

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "_OTHER"
OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "COMMIT"})


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SHORT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LONG_SECONDS = (0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800)
KINDS = ("sse", "websocket")
"""Of streams of changes."""
CACHES = ("summary",)
ENDINGS = tuple(Ending)
REFUSALS = ("full", "slow_head", "large_head", "slow_body", "malformed")
"""Why a connection was ended: there was no room for it, or by what its caller sent."""
QUERIES = (0, 1, 2, 5, 10, 20, 50, 100)

LABELS = {
    "http_request_method": ", ".join([*sorted(METHODS), OTHER]),
    "http_response_status_code": f"100 to 599, {OTHER}",
    "db_operation_name": ", ".join([*sorted(OPERATIONS), OTHER]),
    "db_client_connection_state": "idle, used",
    "outcome": "ok, error; of jobs: ok, retry, dead, returned; of keys: executed, replayed, in_use, reused;"
    " of deliveries: delivered, retry, dead, unknown; of caches: hit, miss, error",
    "cache": ", ".join(CACHES),
    "state": "waiting, running, retrying, dead",
    "reason": "of retries: serialization, deadlock, lock, connection; of streams: "
    + ", ".join(Ending)
    + "; of connections: "
    + ", ".join(REFUSALS),
    "kind": "sse, websocket",
    "whose": "account, address, pair: of both",
    "held_up": "true where the receiver had failed, or had others to take before",
    "policy": "global, token, and the operations that have rates of their own",
    "dependency": "the names in `checks` of /ready",
    "role": "api, worker",
    "version": "one",
    "python": "one",
    "schema_head": "one",
}
"""The closed set of values of each label, for people; those of routes, jobs and events are in the code."""


class Metrics(Catalogue):
    """Made once per app or worker."""

    def __init__(self) -> None:
        super().__init__()
        self._declare_http()
        self._declare_connections()
        self._declare_database()
        self._declare_cache()
        self._declare_live()
        self._declare_stream()
        self._declare_jobs()
        self._declare_webhooks()
        self._declare_process()

    def _declare_http(self) -> None:
        route = ("http_request_method", "http_route")
        self.requests = self._counter(
            "http_server_requests", "Requests answered.", (*route, "http_response_status_code")
        )
        self.request_seconds = self._histogram(
            "http_server_request_duration_seconds",
            "Time to the last byte of the answer; of a stream, to the first.",
            route,
            SECONDS,
        )
        self.active_requests = self._gauge(
            "http_server_active_requests",
            "Requests in hand, open streams among them.",
            ("http_request_method",),
        )
        self.request_queries = self._histogram(
            "http_server_request_db_queries", "Statements of one request.", ("http_route",), QUERIES
        )
        self.retries = self._counter(
            "glasswork_request_retries", "Requests begun anew because the database undid them.", ("reason",)
        )
        self.guesses_refused = self._counter(
            "glasswork_guesses_refused", "Guesses that had to wait, by the limit that they met.", ("whose",)
        )
        self.idempotency = self._counter(
            "glasswork_idempotent_requests", "Requests with an Idempotency-Key.", ("outcome",)
        )
        self.requests_limited = self._counter(
            "glasswork_requests_limited", "Requests beyond a rate, by its policy.", ("policy",)
        )
        self.rate_limit_fallback = self._gauge(
            "glasswork_rate_limit_fallback",
            "1 while requests are counted by this process alone because Redis does not answer.",
            (),
            "livemax",
        )

        self.outgoing_seconds = self._histogram(
            "http_client_request_duration_seconds",
            "Time of a call to a service of others.",
            ("http_request_method", "outcome"),
            SECONDS,
        )

    def _declare_connections(self) -> None:
        self.open_connections = self._gauge(
            "glasswork_connections", "Connections to the server that are open, those on METRICS_PORT too."
        )
        self.connections_refused = self._counter(
            "glasswork_connections_refused", "Connections that the server has ended, and why.", ("reason",)
        )

    def _declare_database(self) -> None:
        self.statement_seconds = self._histogram(
            "db_client_operation_duration_seconds",
            "Time of a statement, as the caller of the driver sees it.",
            ("db_operation_name", "outcome"),
            SHORT_SECONDS,
        )
        self.connections = self._gauge(
            "db_client_connections", "Connections of the pool.", ("db_client_connection_state",)
        )
        self.connections_max = self._gauge("db_client_connection_max", "Connections that the pool may have.")
        self.connections_pending = self._gauge(
            "db_client_connection_pending_requests", "Waiting for a connection of the pool."
        )
        self.connection_wait_seconds = self._histogram(
            "db_client_connection_wait_time_seconds",
            "Time until the pool gave a connection.",
            (),
            SHORT_SECONDS,
        )
        self.connection_use_seconds = self._histogram(
            "db_client_connection_use_time_seconds",
            "Time until the pool got it back.",
            (),
            SHORT_SECONDS,
        )
        self.connection_timeouts = self._counter(
            "db_client_connection_timeouts", "Waited for a connection in vain."
        )
        self.row_security_refusals = self._counter(
            "glasswork_row_security_refusals", "Writes that a policy of the database refused: each is a bug."
        )

    def _declare_cache(self) -> None:
        self.cache_requests = self._counter(
            "glasswork_cache_requests",
            "Answers that were asked of a cache; error: Redis failed, and the answer was made.",
            ("cache", "outcome"),
        )

    def _declare_live(self) -> None:
        self.live_streams = self._gauge(
            "glasswork_live_streams", "Streams of changes that are open.", ("kind",)
        )
        self.live_frames = self._counter(
            "glasswork_live_frames", "Changes that were given to streams.", ("kind",)
        )
        self.live_streams_ended = self._counter(
            "glasswork_live_streams_ended", "Streams that are over, and why.", ("kind", "reason")
        )
        self.live_delay_seconds = self._histogram(
            "glasswork_live_delay_seconds",
            "From the beginning of a change's transaction until it was given to all who follow.",
            (),
            SECONDS,
        )

    def _declare_stream(self) -> None:
        self.stream_published = self._counter(
            "glasswork_stream_published", "Changes that were added to the stream for other services."
        )
        self.stream_failures = self._counter("glasswork_stream_failures", "Tries to add to it in vain.")
        self.stream_behind_seconds = self._gauge(
            "glasswork_stream_behind_seconds",
            "For how long something has been missing in it, or nothing was known of it.",
            (),
            "livemax",
        )

    def _declare_jobs(self) -> None:
        self.events = self._counter("glasswork_events", "Changes that were committed.", ("type",))
        self.jobs = self._counter("glasswork_jobs", "Attempts of jobs that have ended.", ("job", "outcome"))
        self.job_seconds = self._histogram(
            "glasswork_job_duration_seconds", "Time of an attempt.", ("job",), LONG_SECONDS
        )
        self.job_wait_seconds = self._histogram(
            "glasswork_job_wait_seconds", "Time from when a job may run to its start.", ("job",), LONG_SECONDS
        )
        self.job_queue_depth = self._gauge(
            "glasswork_job_queue_depth", "Jobs in the queue.", ("state",), "livemax"
        )
        self.job_queue_oldest_age = self._gauge(
            "glasswork_job_queue_oldest_age_seconds",
            "For how long the first job that may run has waited.",
            (),
            "livemax",
        )
        self.worker_heartbeat = self._gauge(
            "glasswork_worker_heartbeat_timestamp_seconds",
            "When the worker last looked at the queue.",
            (),
            "livemax",
        )
        self.schedule_next_run = self._gauge(
            "glasswork_schedule_next_run_timestamp_seconds",
            "When the clock orders the job next; it is overdue when that is past.",
            ("job",),
            "livemax",
        )
        self.invariant_violations = self._gauge(
            "glasswork_invariant_violations",
            "Rows that broke the rule when this process last checked it, 100 at most.",
            ("rule",),
            "livemostrecent",
        )
        self.invariant_checked = self._gauge(
            "glasswork_invariant_checked_timestamp_seconds",
            "When this process last checked the rule.",
            ("rule",),
            "livemostrecent",
        )

    def _declare_webhooks(self) -> None:
        self.webhook_attempts = self._counter(
            "glasswork_webhook_attempts", "Attempts to deliver a change to a webhook.", ("outcome",)
        )
        self.webhook_first_answer_seconds = self._histogram(
            "glasswork_webhook_first_answer_seconds",
            "Time from a change to the end of the first attempt to deliver it, whatever was answered.",
            ("held_up",),
            LONG_SECONDS,
        )
        self.webhook_deliveries = self._gauge(
            "glasswork_webhook_deliveries",
            "Deliveries that are not done: waiting for their first attempt, or for another one.",
            ("state",),
            "livemax",
        )
        self.webhook_oldest_age = self._gauge(
            "glasswork_webhook_oldest_age_seconds",
            "For how long a webhook with something to do has waited for a worker.",
            (),
            "livemax",
        )

    def _declare_process(self) -> None:
        self.ready = self._gauge("glasswork_ready", "1 when /ready answers 200.", (), "livemin")
        self.dependency_up = self._gauge(
            "glasswork_dependency_up", "1 when its last check was good.", ("dependency",), "livemin"
        )
        self.dependency_seconds = self._histogram(
            "glasswork_dependency_check_seconds", "Time of a check.", ("dependency",), SHORT_SECONDS
        )
        self.loop_lag_seconds = self._histogram(
            "glasswork_event_loop_lag_seconds", "How late the event loop woke up.", (), SHORT_SECONDS
        )
        self.loop_blocked = self._counter(
            "glasswork_event_loop_blocked", "The event loop stood still for longer than a quarter second."
        )
        self.gc_pause_seconds = self._histogram(
            "python_gc_pause_seconds", "Time of a run of the garbage collector.", (), SHORT_SECONDS
        )
        self.build_info = self._gauge(
            "glasswork_build_info", "Always 1.", ("version", "python", "schema_head", "role"), "livemax"
        )
        self.spans_dropped = self._counter("glasswork_spans_dropped", "Spans that no collector got.")
        self.telemetry_errors = self._counter(
            "glasswork_telemetry_errors", "Bugs in what observes; the request was not harmed."
        )

    def foresee(
        self, routes: Iterable[tuple[str, str]], jobs: Iterable[str], policies: Iterable[str] = ()
    ) -> None:
        """Begin at 0 what must be seen when it comes for the first time: `rate()` needs a value before it."""
        jobs = list(jobs)
        begun: list[tuple[Any, Iterable[tuple[str, ...]]]] = [
            (self.requests, ((method, route, "500") for method, route in routes)),
            (self.job_wait_seconds, product(jobs)),
            (self.jobs, product(jobs, ("ok", "retry", "dead", "returned"))),
            (self.connections_refused, product(REFUSALS)),
            (self.retries, product(("serialization", "deadlock", "lock", "connection"))),
            (self.guesses_refused, product(("account", "address", "pair"))),
            (self.idempotency, product(("executed", "replayed", "in_use", "reused"))),
            (self.requests_limited, product(policies)),
            (self.cache_requests, product(CACHES, ("hit", "miss", "error"))),
            (self.live_frames, product(KINDS)),
            (self.live_streams, product(KINDS)),
            (self.live_streams_ended, product(KINDS, ENDINGS)),
            (self.webhook_attempts, product(("delivered", "retry", "dead", "unknown"))),
            (self.webhook_deliveries, product(("waiting", "retrying"))),
            (self.webhook_first_answer_seconds, product(("true", "false"))),
            (self.outgoing_seconds, product(("GET", "POST"), ("ok", "error"))),
        ]
        for metric, all_labels in begun:
            for labels in all_labels:
                metric.labels(*labels)


@cache
def status_label(status: int) -> str:
    return str(status) if 100 <= status < 600 else OTHER  # noqa: PLR2004 (the statuses that HTTP has)
