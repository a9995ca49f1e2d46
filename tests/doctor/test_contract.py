"""What the app declares is read from its document, and a declaration that is missing is found."""

from copy import deepcopy
from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.app import create_app
from glasswork.core.settings import Settings
from glasswork.doctor import contract
from glasswork.doctor.source import Seen
from tests.doctor.settings import production


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = create_app(production(log_level="error"))
    app.openapi()
    return app


def states(app: FastAPI, settings: Settings) -> dict[str, bool | None]:
    seen: dict[str, Seen] = dict(contract.look(app, settings))
    return {name: ok for name, (ok, _) in seen.items()}


def test_the_app_declares_all(app: FastAPI) -> None:
    seen = contract.look(app, production())
    assert [name for name, (ok, _) in seen.items() if not ok] == []


def test_who_does_not_count_limits_nobody(app: FastAPI) -> None:
    off = production(rate_limit_enabled=False)
    assert [name for name, ok in states(app, off).items() if not ok] == ["auth_rate_limit"]


PATH = "/api/v1/workspaces"


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("validation", lambda paths: paths[PATH]["get"]["responses"].pop("422")),
        ("failures_declared", lambda paths: paths[PATH]["get"]["responses"].pop("503")),
        ("structured_errors", lambda paths: paths[PATH]["get"]["responses"]["429"].pop("content")),
        ("described", lambda paths: paths[PATH]["get"].pop("description")),
        ("versioned", lambda paths: paths.update({"/v2/tasks": {"get": paths["/health"]["get"]}})),
        ("health_ready", lambda paths: paths.pop("/ready")),
    ],
)
def test_what_is_not_declared_is_found(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Any
) -> None:
    document = deepcopy(app.openapi())
    spoil(document["paths"])
    monkeypatch.setattr(app, "openapi", lambda: document)
    assert [name for name, ok in states(app, production()).items() if not ok] == [name]
