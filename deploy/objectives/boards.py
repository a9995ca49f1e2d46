"""What the boards show of the requests; `boards_inside.py` has what is behind them."""

from collections.abc import Mapping

from objectives.boards_inside import DATABASE, JOBS, RUNTIME, TELEMETRY
from objectives.panels import PLACE, Board, Panel, quantile, quantiles, rate, render_board
from objectives.plan import Plan

API = 'http_route=~"/api/.+"'
ROUTE = 'http_route=~"$route"'


def render_boards(plan: Plan) -> Mapping[str, str]:
    boards = (overview(plan), ROUTES, DATABASE, JOBS, RUNTIME, TELEMETRY)
    return {board.name: render_board(board) for board in boards}


def overview(plan: Plan) -> Board:
    objectives = [objective.name for objective in plan.objectives]
    return Board(
        "overview",
        "overview and budget",
        {
            "What is promised": [
                Panel(
                    "Budget left over 30 days",
                    "percentunit",
                    {"{{slo}}": "slo:error_budget_remaining:ratio"},
                    "Below zero the promise is broken.",
                    is_number=True,
                ),
                Panel("Promised", "percentunit", {"{{slo}}": "slo:objective:ratio"}, is_number=True),
                Panel("Alerts", "short", {"{{alertname}}": 'ALERTS{alertstate="firing"}'}, is_number=True),
                *(
                    Panel(
                        f"Bad: {name}",
                        "percentunit",
                        {
                            window: f'slo:error:ratio{window}{{slo="{name}"}}'
                            for window in ("5m", "1h", "6h", "3d")
                        },
                    )
                    for name in objectives
                ),
            ],
            "Now": [
                Panel(
                    "Requests by status",
                    "reqps",
                    {
                        "{{http_response_status_code}}": rate(
                            f"http_server_requests_total{{{API}}}", "http_response_status_code"
                        )
                    },
                    has_exemplars=True,
                ),
                Panel(
                    "Requests in hand",
                    "short",
                    {PLACE: "sum by (job, instance) (http_server_active_requests)"},
                    "Open streams among them.",
                ),
                Panel("Changes", "cps", {"{{type}}": rate("glasswork_events_total", "type")}),
                Panel(
                    "Guesses that had to wait",
                    "cps",
                    {"{{whose}}": rate("glasswork_guesses_refused_total", "whose")},
                    "By the limit that they met: an account's, an address's, or of both.",
                ),
                Panel(
                    "Requests with an Idempotency-Key",
                    "cps",
                    {"{{outcome}}": rate("glasswork_idempotent_requests_total", "outcome")},
                    "Many replayed: answers get lost on the way to the callers.",
                ),
                Panel(
                    "Writes that a policy of the database refused",
                    "cps",
                    {PLACE: rate("glasswork_row_security_refusals_total", "job, instance")},
                    "Each is a bug: the statement should have found nothing there.",
                ),
                Panel(
                    "Requests beyond a rate",
                    "cps",
                    {"{{policy}}": rate("glasswork_requests_limited_total", "policy")},
                    "By the policy: global, token, or an operation's own.",
                ),
                Panel(
                    "Counts requests alone",
                    "short",
                    {PLACE: "glasswork_rate_limit_fallback"},
                    "1 while Redis does not answer: then each process has budgets of its own.",
                ),
                Panel(
                    "p95 of calls to others",
                    "s",
                    {
                        "{{http_request_method}} {{outcome}}": quantile(
                            0.95, "http_client_request_duration_seconds", "http_request_method, outcome"
                        )
                    },
                ),
                Panel(
                    "Streams of changes",
                    "short",
                    {"{{kind}}": "sum by (kind) (glasswork_live_streams)"},
                ),
                Panel(
                    "Streams that are over",
                    "cps",
                    {"{{kind}}: {{reason}}": rate("glasswork_live_streams_ended_total", "kind, reason")},
                    "Many slow: clients or the network take less than there is.",
                ),
                Panel(
                    "Changes given to streams",
                    "cps",
                    {"{{kind}}": rate("glasswork_live_frames_total", "kind")},
                ),
                Panel("Until a change is given", "s", quantiles("glasswork_live_delay_seconds")),
                Panel("Ready", "short", {PLACE: "glasswork_ready"}),
                Panel(
                    "Depended on",
                    "short",
                    {"{{job}} {{dependency}}": "min by (job, dependency) (glasswork_dependency_up)"},
                ),
                Panel(
                    "Versions",
                    "short",
                    {
                        "{{role}} {{version}}, schema {{schema_head}}, Python {{python}}": (
                            "count by (role, version, schema_head, python) (glasswork_build_info)"
                        )
                    },
                ),
            ],
        },
    )


ROUTES = Board(
    "routes",
    "routes",
    {
        "By route": [
            Panel(
                "Requests",
                "reqps",
                {
                    "{{http_request_method}} {{http_route}}": rate(
                        f"http_server_requests_total{{{ROUTE}}}", "http_request_method, http_route"
                    )
                },
            ),
            Panel(
                "Errors of the server",
                "reqps",
                {
                    "{{http_request_method}} {{http_route}}": rate(
                        f'http_server_requests_total{{{ROUTE},http_response_status_code=~"5.."}}',
                        "http_request_method, http_route",
                    )
                },
                has_exemplars=True,
            ),
            Panel(
                "p99 of the time to the last byte",
                "s",
                {
                    "{{http_request_method}} {{http_route}}": quantile(
                        0.99, "http_server_request_duration_seconds", "http_request_method, http_route", ROUTE
                    )
                },
                has_exemplars=True,
            ),
            Panel(
                "All of these routes",
                "s",
                quantiles("http_server_request_duration_seconds", ROUTE),
                has_exemplars=True,
            ),
            Panel(
                "p95 of the statements of a request",
                "short",
                {"{{http_route}}": quantile(0.95, "http_server_request_db_queries", "http_route", ROUTE)},
                "Grows with the number of rows where a query stands in a loop.",
            ),
        ]
    },
    {"route": "label_values(http_server_requests_total, http_route)"},
)
