"""A check that fails takes its signals with it, and no others."""

from dataclasses import replace

import pytest

from glasswork.doctor import configuration, database, neighbours, source, work
from glasswork.doctor.checklist import HEALTH, P0, P1, SCORE
from glasswork.doctor.examination import guarded
from glasswork.doctor.findings import ERROR, Finding
from glasswork.doctor.signals import derive
from glasswork.doctor.source import Seen
from tests.doctor.settings import development, production

NAMES = [
    *(check.__name__ for check in configuration.CHECKS),
    *("jwt_secret", "secret_files", "database"),
    *(name for checks in (database.CHECKS, neighbours.CHECKS, work.CHECKS) for name, _ in checks),
]
WELL = {name: Finding(name, ERROR, ok=True, evidence=f"{name} is well.") for name in NAMES}
DECLARED = ("validation", "structured_errors", "failures_declared", "described", "versioned", "health_ready")
TOLD: dict[str, Seen] = dict.fromkeys((*source.GATES, *DECLARED, "auth_rate_limit"), (True, "It is so."))


def lost(findings: dict[str, Finding], told: dict[str, Seen] = TOLD) -> dict[str, bool | None]:
    signals = derive(findings, production(), told)
    assert signals.keys() >= {*P0, *P1}
    assert signals.keys() == {name for group in (P0, P1, *HEALTH.values(), *SCORE.values()) for name in group}
    return {name: ok for name, (ok, _) in signals.items() if not ok}


@pytest.mark.parametrize("ok", [False, None])
@pytest.mark.parametrize(
    ("check", "signals"),
    [
        ("public_url", {"https"}),
        ("trusted_proxies", {"https", "hosts_and_proxies"}),
        ("trusted_hosts", {"hosts_and_proxies"}),
        ("cors", {"cors"}),
        ("jwt_secret", {"secrets"}),
        ("secret_files", {"secrets"}),
        ("connections", {"pool"}),
        ("fsync", {"durable"}),
        ("full_page_writes", {"durable"}),
        ("synchronous_commit", {"durable"}),
        ("schema", {"migrations"}),
        ("roles", {"roles"}),
        ("row_security", {"row_security"}),
        ("clock", {"clock"}),
        ("shared_limits", {"auth_rate_limit"}),
        ("invariants", {"invariants"}),
        ("worker", {"job_queue"}),
        ("jobs", {"job_queue"}),
        ("storage", {"storage"}),
        ("disk", {"storage"}),
        ("redis", {"redis"}),
        ("smtp", {"mail"}),
        ("otlp", {"otel"}),
        ("docs", set()),
    ],
)
def test_a_check_takes_its_signals_with_it(check: str, signals: set[str], ok: bool | None) -> None:
    assert lost(WELL) == {}
    assert lost({**WELL, check: replace(WELL[check], ok=ok)}) == dict.fromkeys(signals, ok)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_what_was_told_is_taken_as_it_is(name: str) -> None:
    assert lost(WELL, {**TOLD, name: (False, "It is not.")}) == {name: False}


def test_who_is_not_there_is_no_signal() -> None:
    absent = {name: each for name, each in WELL.items() if name not in {"redis", "smtp", "otlp"}}
    signals = derive(absent, development(), TOLD)
    lacking = {name for name, (ok, _) in signals.items() if ok is False}
    assert lacking == {"redis", "mail", "otel", "https", "json_logs", "prometheus", "drain"}


def test_nothing_is_known_without_settings() -> None:
    signals = derive({}, None, TOLD)
    assert {ok for name, (ok, _) in signals.items() if name not in TOLD} == {None}


def test_a_check_that_fails_itself_is_told_of() -> None:
    def fail() -> Finding:
        raise KeyError("a secret")

    found = guarded("broken", fail)
    assert (found.ok, found.severity, found.evidence) == (
        False,
        "error",
        "The check itself failed: KeyError.",
    )
    assert guarded("well", lambda: WELL["cors"]) is WELL["cors"]
