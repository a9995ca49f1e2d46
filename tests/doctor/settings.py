"""Settings and facts of an installation that is well, to be broken one at a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from glasswork.core import revisions
from glasswork.core.settings import Settings
from glasswork.doctor.facts import Facts
from tests.conftest import make_settings

STRONG = "kD3vQ9xW7mZ1pT5rB8nY2cF6hJ0gLsAeUiOqXwEz"

_PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "jwt_secret": STRONG,
    "public_url": "https://tasks.example.com",
    "trusted_hosts": ("tasks.example.com",),
    "trusted_proxies": ("10.1.0.0/16",),
    "cors_origins": ("https://app.example.com",),
    "rate_limit_enabled": True,
    "log_level": "info",
    "metrics_port": 9464,
    "drain_seconds": 5,
    "smtp_url": "smtp://mail.example.com",
    "redis_url": "redis://redis.example.com",
}

WELL = Facts(
    settings={
        "server_version": "18.1",
        "server_version_num": "180001",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_connections": "100",
        "superuser_reserved_connections": "3",
        "reserved_connections": "0",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    },
    role="serving",
    owner="owning",
    bypass=None,
    unprotected=(),
    revision=revisions.head(),
    address="10.0.0.7",
    is_encrypted=True,
    clock_off=0.01,
    processes=2,
    workers=1,
)


def production(**changes: object) -> Settings:
    return make_settings("postgresql://serving@db.example.com/glasswork", **{**_PRODUCTION, **changes})


def development(data_dir: Path | None = None, **changes: object) -> Settings:
    """As they are where nothing is set."""
    own = {"data_dir": data_dir} if data_dir else {}
    usual = {"rate_limit_enabled": True, "log_level": "info", "jwt_secret": STRONG}
    return make_settings("postgresql://serving@localhost/glasswork", **usual, **own, **changes)


def facts(*, parameters: dict[str, str] | None = None, **changes: Any) -> Facts:
    return replace(WELL, settings={**WELL.settings, **(parameters or {})}, **changes)
