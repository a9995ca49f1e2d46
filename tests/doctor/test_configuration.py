"""Each check of the settings fails when its own setting is wrong, and only then."""

import pytest

from glasswork.doctor import configuration
from glasswork.doctor.configuration import is_local
from glasswork.doctor.findings import Finding
from tests.doctor.settings import development, production

CHECKS = {check.__name__: check for check in configuration.CHECKS}


@pytest.mark.parametrize(
    ("name", "changes", "severity"),
    [
        ("environment", {"environment": "staging"}, "note"),
        ("public_url", {"public_url": "http://tasks.example.com"}, "error"),
        ("public_url", {"public_url": "http://127.0.0.1:8000"}, "error"),
        ("log", {"log_level": "debug"}, "warning"),
        ("log", {"log_format": "console"}, "warning"),
        ("docs", {"docs_enabled": True}, "note"),
        ("ops_page", {"ops_page": "on"}, "warning"),
        ("cors", {"cors_origins": ("*",)}, "error"),
        ("cors", {"cors_origins": ("https://app.example.com", "https://*.example.com")}, "error"),
        ("cors", {"cors_origins": ("null",)}, "error"),
        ("cors", {"cors_origins": ("http://app.example.com",)}, "warning"),
        ("trusted_proxies", {"trusted_proxies": ("0.0.0.0/0",)}, "error"),
        ("trusted_proxies", {"trusted_proxies": ("10.0.0.0/8", "::/0")}, "error"),
        ("trusted_proxies", {"trusted_proxies": ()}, "warning"),
        ("trusted_hosts", {"trusted_hosts": ("localhost",)}, "error"),
        ("trusted_hosts", {"trusted_hosts": ("*.other.com",)}, "error"),
        ("trusted_hosts", {"trusted_hosts": ("*",)}, "warning"),
        ("rate_limits", {"rate_limit_enabled": False}, "error"),
        ("metrics_port", {"metrics_port": None}, "warning"),
        ("drain_seconds", {"drain_seconds": 0}, "warning"),
        ("mail", {"smtp_url": None}, "warning"),
    ],
)
def test_one_wrong_setting_fails_its_check_alone(
    name: str, changes: dict[str, object], severity: str
) -> None:
    found = {each.name: each for each in (check(production(**changes)) for check in CHECKS.values())}
    broken = {each.name: each for each in found.values() if not each.ok and each.name != "environment"}
    if name == "environment":
        broken = {name: found[name]}
    elif name == "public_url":  # others follow from it
        broken = {name: broken[name]}
    assert broken.keys() == {name}
    assert broken[name].severity == severity
    assert broken[name].advice


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in CHECKS),
        ("trusted_hosts", {"trusted_hosts": ("*.example.com",)}),
        ("trusted_hosts", {"public_url": "https://[::1]:8000", "trusted_hosts": ("[::1]",)}),
        ("trusted_proxies", {"trusted_proxies": (), "public_url": "https://localhost"}),
        ("cors", {"cors_origins": ()}),
        ("cors", {"cors_origins": ("http://localhost:3000",)}),
    ],
)
def test_production_that_is_well_passes(name: str, changes: dict[str, object]) -> None:
    found: Finding = CHECKS[name](production(**changes))
    assert (found.name, found.ok, found.advice) == (name, True, "")


def test_a_laptop_has_notes_only() -> None:
    found = [check(development()) for check in CHECKS.values()]
    wrong = {each.name: each.severity.value for each in found if not each.ok}
    assert wrong == dict.fromkeys(("environment", "metrics_port", "drain_seconds", "mail"), "note")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(
            (host, True)
            for host in (None, "", "localhost", "127.0.0.2", "::1", "/run/postgresql", "a.localhost")
        ),
        *((host, False) for host in ("db", "10.0.0.1", "localhost.example.com", "8.8.8.8")),
    ],
)
def test_what_is_local(host: str | None, expected: bool) -> None:
    assert is_local(host) == expected
