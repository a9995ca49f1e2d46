"""What the app declares to callers, read from its own OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from glasswork.core.http.rate_limits import rates_of
from glasswork.core.http.resources import API_PREFIX
from glasswork.core.settings import Settings
from glasswork.core.telemetry.routes import PROBES
from glasswork.doctor.findings import listed
from glasswork.doctor.source import Seen

ENVELOPES = ("/ErrorResponse", "/ValidationErrorResponse")
GUESSED = (f"{API_PREFIX}/auth/register", f"{API_PREFIX}/auth/forgot-password")
"""What sends mail for strangers; guesses are counted whatever the operation is."""
_FAILED = 400


def look(app: FastAPI, settings: Settings) -> Mapping[str, Seen]:
    document = app.openapi()
    operations = dict(_operations(document))
    ours = {name: each for name, each in operations.items() if f" {API_PREFIX}/" in name}
    probes = [path for path in ("/health", "/ready") if path in document["paths"]]
    return {
        "structured_errors": _all(ours, _has_envelopes, "declare all refusals in the envelope"),
        "failures_declared": _all(
            ours, lambda each: {"500", "503"} <= each["responses"].keys(), "declare 500 and 503"
        ),
        "validation": _all(
            ours, lambda each: "422" in each["responses"], "refuse what does not fit, with 422"
        ),
        "described": _all(operations, lambda each: bool(each.get("description")), "are described"),
        "versioned": (
            bool(ours)
            and all(f" {API_PREFIX}/" in name or name.split(" ")[1] in PROBES for name in operations),
            f"{len(ours)} of {len(operations)} operations are below {API_PREFIX}; this is {app.version}.",
        ),
        "health_ready": (len(probes) == 2, f"The app has {' and '.join(probes) or 'no probes'}."),  # noqa: PLR2004
        "auth_rate_limit": _auth_rates(app, settings),
    }


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _all(operations: Mapping[str, Mapping[str, Any]], holds: Any, words: str) -> Seen:
    lacking = [name for name, each in operations.items() if not holds(each)]
    if lacking:
        return False, f"These operations do not: {listed(lacking, 3)} ({words})."
    return bool(operations), f"All {len(operations)} operations {words}."


def _has_envelopes(operation: Mapping[str, Any]) -> bool:
    refusals = [each for status, each in operation["responses"].items() if int(status) >= _FAILED]
    schemas = [
        content.get("schema", {}).get("$ref", "")
        for refusal in refusals
        for content in refusal.get("content", {}).values()
    ]
    return len(schemas) >= len(refusals) > 0 and all(schema.endswith(ENVELOPES) for schema in schemas)


def _auth_rates(app: FastAPI, settings: Settings) -> Seen:
    if not settings.rate_limit_enabled:
        return False, "RATE_LIMIT_ENABLED is false: guesses are not counted either."
    rates = rates_of(app, settings)
    told = [
        f"{path.removeprefix(API_PREFIX)} {quota.amount}/{quota.seconds} s"
        for (method, path), quotas in rates.items()
        if path in GUESSED and method == "POST"
        for quota in quotas
    ]
    seen = f"Wrong guesses wait longer each time; {', '.join(told)}; others {settings.rate_limit_global}."
    return len(told) >= len(GUESSED), seen
