"""What the boards show of the database, the jobs, the processes, and the telling itself."""

from objectives.panels import PLACE, Board, Panel, R, quantile, quantiles, rate
from objectives.work import NEWEST_VIOLATIONS

OURS = 'job=~"glasswork-.+"'

DATABASE = Board(
    "database",
    "database",
    {
        "Statements": [
            Panel(
                "Statements",
                "cps",
                {
                    "{{db_operation_name}} {{outcome}}": rate(
                        "db_client_operation_duration_seconds_count", "db_operation_name, outcome"
                    )
                },
            ),
            Panel(
                "p99 by operation",
                "s",
                {
                    "{{db_operation_name}}": quantile(
                        0.99, "db_client_operation_duration_seconds", "db_operation_name"
                    )
                },
            ),
        ],
        "Pool": [
            Panel(
                "Connections",
                "short",
                {
                    f"{PLACE} {{{{db_client_connection_state}}}}": "db_client_connections",
                    f"{PLACE} at most": "db_client_connection_max",
                },
            ),
            Panel(
                "Waiting for a connection",
                "short",
                {
                    f"{PLACE}": "db_client_connection_pending_requests",
                    f"{PLACE} in vain, a minute": f"rate(db_client_connection_timeouts_total[{R}]) * 60",
                },
            ),
            Panel("Wait for a connection", "s", quantiles("db_client_connection_wait_time_seconds")),
            Panel("Use of a connection", "s", quantiles("db_client_connection_use_time_seconds")),
            Panel(
                "Requests begun anew",
                "cps",
                {"{{reason}}": rate("glasswork_request_retries_total", "reason")},
                "The database undid them: by deadlock, serialisation, a long wait, a lost connection.",
            ),
        ],
        "Cache": [
            Panel(
                "Answers that were kept",
                "cps",
                {"{{cache}} {{outcome}}": rate("glasswork_cache_requests_total", "cache, outcome")},
                "Of an error the answer is made, as of a miss: Redis failed.",
            ),
        ],
    },
)

JOBS = Board(
    "jobs",
    "jobs and data",
    {
        "Queue": [
            Panel("In the queue", "short", {"{{state}}": "max by (state) (glasswork_job_queue_depth)"}),
            Panel(
                "Waits for the longest time",
                "s",
                {"oldest": "max(glasswork_job_queue_oldest_age_seconds)"},
            ),
            Panel(
                "Since a worker looked",
                "s",
                {"{{instance}}": "time() - (glasswork_worker_heartbeat_timestamp_seconds > 0)"},
            ),
        ],
        "Attempts": [
            Panel(
                "Ends of attempts",
                "cps",
                {"{{exported_job}} {{outcome}}": rate("glasswork_jobs_total", "exported_job, outcome")},
            ),
            Panel(
                "p95 of an attempt",
                "s",
                {"{{exported_job}}": quantile(0.95, "glasswork_job_duration_seconds", "exported_job")},
            ),
            Panel("Wait for the start", "s", quantiles("glasswork_job_wait_seconds")),
            Panel(
                "Ordered by the clock next",
                "dateTimeFromNow",
                {
                    "{{exported_job}}": (
                        "max by (exported_job) (glasswork_schedule_next_run_timestamp_seconds) * 1000"
                    )
                },
                is_number=True,
            ),
        ],
        "Webhooks": [
            Panel(
                "Ends of attempts to deliver",
                "cps",
                {"{{outcome}}": rate("glasswork_webhook_attempts_total", "outcome")},
            ),
            Panel(
                "p95 from a change to the first answer",
                "s",
                {"held up: {{held_up}}": quantile(0.95, "glasswork_webhook_first_answer_seconds", "held_up")},
                "Held up: the receiver had failed, or had others to take before.",
            ),
            Panel(
                "Not delivered yet", "short", {"{{state}}": "max by (state) (glasswork_webhook_deliveries)"}
            ),
            Panel(
                "Waits for a worker for the longest time",
                "s",
                {"oldest": "max(glasswork_webhook_oldest_age_seconds)"},
                "Grows when nobody delivers, whatever the receivers do.",
            ),
        ],
        "Stream for other services": [
            Panel("Incomplete for", "s", {"at most": "max(glasswork_stream_behind_seconds)"}),
            Panel(
                "Changes that were added",
                "cps",
                {PLACE: f"rate(glasswork_stream_published_total[{R}])"},
            ),
            Panel(
                "Tries in vain, a minute",
                "short",
                {PLACE: f"rate(glasswork_stream_failures_total[{R}]) * 60"},
            ),
        ],
        "What always holds": [
            Panel("Violations", "short", {"{{rule}}": NEWEST_VIOLATIONS}),
            Panel(
                "Since the last check",
                "s",
                {"{{rule}}": "time() - max by (rule) (glasswork_invariant_checked_timestamp_seconds)"},
            ),
        ],
    },
)

RUNTIME = Board(
    "runtime",
    "runtime",
    {
        "Processes": [
            Panel("CPU", "percentunit", {PLACE: f"rate(process_cpu_seconds_total{{{OURS}}}[{R}])"}),
            Panel("Resident memory", "bytes", {PLACE: 'process_resident_memory_bytes{job=~"glasswork-.+"}'}),
            Panel(
                "Files open, of those that may be",
                "percentunit",
                {PLACE: 'process_open_fds{job=~"glasswork-.+"} / process_max_fds'},
            ),
            Panel("Up for", "s", {PLACE: 'time() - process_start_time_seconds{job=~"glasswork-.+"}'}),
        ],
        "Event loop and threads": [
            Panel("How late the loop wakes up", "s", quantiles("glasswork_event_loop_lag_seconds")),
            Panel(
                "Stood still, a minute",
                "short",
                {PLACE: f"rate(glasswork_event_loop_blocked_total[{R}]) * 60"},
            ),
            Panel("Tasks", "short", {PLACE: "asyncio_tasks"}),
            Panel("Threads for blocking work", "short", {PLACE + " {{state}}": "threadpool_tokens"}),
        ],
        "Connections of callers": [
            Panel("Open", "short", {PLACE: "glasswork_connections"}),
            Panel(
                "Refused, a minute",
                "short",
                {"{{reason}}": f"sum by (reason) (rate(glasswork_connections_refused_total[{R}])) * 60"},
            ),
        ],
        "Garbage collector": [
            Panel("Pauses", "s", quantiles("python_gc_pause_seconds")),
            Panel(
                "Runs",
                "cps",
                {"{{generation}}": rate('python_gc_collections_total{job=~"glasswork-.+"}', "generation")},
            ),
        ],
    },
)

TELEMETRY = Board(
    "telemetry",
    "telemetry itself",
    {
        "Log and traces": [
            Panel("Lines made", "cps", {"{{level}}": rate("glasswork_log_lines_total", "level")}),
            Panel("Lines lost", "cps", {"{{reason}}": rate("glasswork_log_lines_dropped_total", "reason")}),
            Panel("Lines that wait", "short", {PLACE: "glasswork_log_lines_queued"}),
            Panel("Spans lost", "cps", {PLACE: f"rate(glasswork_spans_dropped_total[{R}])"}),
            Panel("Bugs in what observes", "cps", {PLACE: f"rate(glasswork_telemetry_errors_total[{R}])"}),
            Panel(
                "p99 of the checks of readiness",
                "s",
                {"{{dependency}}": quantile(0.99, "glasswork_dependency_check_seconds", "dependency")},
            ),
        ],
        "Prometheus and Alertmanager": [
            Panel("Answers Prometheus", "short", {PLACE: "up"}),
            Panel("Time of a scrape", "s", {PLACE: "scrape_duration_seconds"}),
            Panel("Series", "short", {PLACE: "scrape_samples_scraped"}),
            Panel(
                "Rules that failed",
                "cps",
                {"failed": f"sum(rate(prometheus_rule_evaluation_failures_total[{R}]))"},
            ),
            Panel(
                "Notifications",
                "cps",
                {
                    "sent": f"sum(rate(alertmanager_notifications_total[{R}]))",
                    "failed": f"sum(rate(alertmanager_notifications_failed_total[{R}]))",
                },
            ),
        ],
    },
)
