"""What must be there before others rely on it, and what all of it is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glasswork.doctor.source import Seen

P0: Mapping[str, str] = {
    "secrets": "Secrets",
    "https": "HTTPS",
    "cors": "CORS",
    "auth_rate_limit": "Login rate limit",
    "validation": "Validation",
    "structured_errors": "Structured errors",
    "health_ready": "Health and ready",
    "pool": "Connection pool",
    "migrations": "Migrations",
    "json_logs": "JSON logs",
    "ci_green": "CI green",
}
"""Without each of them nobody else should rely on it."""

P1: Mapping[str, str] = {
    "otel": "OpenTelemetry",
    "prometheus": "Prometheus",
    "job_queue": "Job queue",
    "redis": "Redis cache",
    "versioned": "API versions",
    "request_log": "Request log",
    "dependency_scan": "Dependency scan",
    "benchmarks": "Benchmarks",
}

HEALTH: Mapping[str, Sequence[str]] = {
    "type safety": ("types", "validation"),
    "errors": ("structured_errors", "failures_declared"),
    "auth": ("secrets", "auth_rate_limit"),
    "testing": ("tests", "ci"),
    "database": ("durable", "migrations"),
    "observability": ("json_logs", "prometheus"),
    "deployment": ("https", "health_ready"),
    "documentation": ("described", "docs_pages"),
}
"""Each signal is a point."""
CRITICAL_BELOW = 8

SCORE: Mapping[str, Mapping[str, int]] = {
    "types": {"types": 10, "validation": 5},
    "errors": {"structured_errors": 8, "failures_declared": 4, "invariants": 3},
    "tests": {"tests": 7, "ci": 5, "ci_green": 3},
    "security": {
        "secrets": 3,
        "https": 3,
        "auth_rate_limit": 3,
        "cors": 2,
        "row_security": 2,
        "hosts_and_proxies": 2,
    },
    "performance": {"pool": 4, "redis": 3, "benchmarks": 3},
    "observability": {"json_logs": 3, "prometheus": 3, "request_log": 2, "otel": 2},
    "database": {"durable": 4, "migrations": 3, "roles": 2, "clock": 1},
    "deployment": {"health_ready": 3, "job_queue": 3, "drain": 2, "storage": 1, "mail": 1},
}
"""What each signal is worth; what is broken, or not to be seen, is worth nothing."""
PRODUCTION_GRADE = 80

UNSEEN: Seen = (None, "Not looked at.")


@dataclass(frozen=True, slots=True)
class Area:
    name: str
    weights: Mapping[str, int]
    points: int
    lacking: Sequence[str]
    """Signals that brought nothing."""

    @property
    def of(self) -> int:
        return sum(self.weights.values())


def health(signals: Mapping[str, Seen]) -> Sequence[Area]:
    return [_area(name, dict.fromkeys(names, 1), signals) for name, names in HEALTH.items()]


def score(signals: Mapping[str, Seen]) -> Sequence[Area]:
    return [_area(name, weights, signals) for name, weights in SCORE.items()]


def _area(name: str, weights: Mapping[str, int], signals: Mapping[str, Seen]) -> Area:
    lacking = [signal for signal in weights if not signals.get(signal, UNSEEN)[0]]
    points = sum(weight for signal, weight in weights.items() if signal not in lacking)
    return Area(name, weights, points, lacking)
