"""What an installation that is ready for others shows, each by a name, derived from all that was seen."""

from collections.abc import Mapping

from glasswork.core.settings import Settings
from glasswork.doctor.database import DURABLE
from glasswork.doctor.findings import Finding
from glasswork.doctor.secrecy import origin_of_secret
from glasswork.doctor.source import Seen

_FROM_CHECKS = {
    "https": ("public_url", "trusted_proxies"),
    "cors": ("cors",),
    "hosts_and_proxies": ("trusted_hosts", "trusted_proxies"),
    "secrets": ("jwt_secret", "secret_files"),
    "pool": ("connections",),
    "durable": tuple(DURABLE),
    "migrations": ("schema",),
    "roles": ("roles",),
    "row_security": ("row_security",),
    "clock": ("clock",),
    "invariants": ("invariants",),
    "job_queue": ("worker", "jobs"),
    "storage": ("storage", "disk"),
}
"""Signals by the checks that all must be well for them."""


def derive(
    findings: Mapping[str, Finding], settings: Settings | None, told: Mapping[str, Seen]
) -> Mapping[str, Seen]:
    """`told` are those that the app and the source show; what is nowhere to be seen is no signal."""
    signals = {
        name: _together([findings[check] for check in checks if check in findings])
        for name, checks in _FROM_CHECKS.items()
    } | dict(told)
    if settings is None:
        return signals
    signals |= _of_settings(settings, findings)
    signals["secrets"] = _and(
        signals["secrets"], (True, f"JWT_SECRET comes from {origin_of_secret(settings)}.")
    )
    signals["https"] = _and((settings.public_url.startswith("https://"), ""), signals["https"])
    if "auth_rate_limit" in told:
        signals["auth_rate_limit"] = _and(told["auth_rate_limit"], _together([findings["shared_limits"]]))
    return signals


def _of_settings(settings: Settings, findings: Mapping[str, Finding]) -> dict[str, Seen]:
    return {
        "json_logs": (settings.log_format == "json", f"LOG_FORMAT is {settings.log_format}."),
        "request_log": (
            settings.log_level in {"debug", "info"},
            f"LOG_LEVEL is {settings.log_level}; each answer's line has the level info.",
        ),
        "prometheus": (settings.metrics_port is not None, findings["metrics_port"].evidence),
        "drain": (settings.drain_seconds > 0, findings["drain_seconds"].evidence),
        "mail": _optional(findings, "smtp", "SMTP_URL is not set."),
        "otel": _optional(findings, "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT is not set."),
        "redis": (
            settings.redis_url is not None and findings["redis"].ok,
            findings["redis"].evidence if settings.redis_url else "REDIS_URL is not set.",
        ),
    }


def _optional(findings: Mapping[str, Finding], name: str, absent: str) -> Seen:
    return (findings[name].ok, findings[name].evidence) if name in findings else (False, absent)


def _together(findings: list[Finding]) -> Seen:
    """Tell what is wrong, or else everything."""
    states = [each.ok for each in findings]
    ok = False if False in states else None if None in states or not states else True
    return ok, " ".join(
        dict.fromkeys(each.evidence for each in findings if each.ok is ok)
    ) or "Not looked at."


def _and(first: Seen, second: Seen) -> Seen:
    states = (first[0], second[0])
    ok = False if False in states else None if None in states else True
    return ok, " ".join(words for _, words in (first, second) if words)
