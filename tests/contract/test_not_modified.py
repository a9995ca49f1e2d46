"""What the caller has already is not sent again, on every single resource of the document."""

from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Callers

from .things import make_things
from .walker import Operation, operations
from .world import prepare

pytestmark = pytest.mark.anyio


def declared(app: FastAPI, operation: Operation) -> Any:
    return app.openapi()["paths"][f"/api/v1{operation.path}"]["get"]


def tagged(app: FastAPI) -> dict[str, Operation]:
    return {
        operation.name: operation
        for operation in operations(app)
        if operation.method == "GET"
        and "ETag" in declared(app, operation)["responses"].get("200", {}).get("headers", {})
    }


def test_every_read_with_an_etag_says_so(app: FastAPI) -> None:
    """Return `shown(...)` and declare SHOWN."""
    assert len(tagged(app)) >= 9
    for name, operation in tagged(app).items():
        assert "content" not in declared(app, operation)["responses"]["304"], name
        headers = [each["name"] for each in declared(app, operation)["parameters"] if each["in"] == "header"]
        assert headers == ["if-none-match"], name


async def test_every_read_with_an_etag_does_so(app: FastAPI, callers: Callers) -> None:
    owner = await callers.user(SystemRole.ADMIN)
    stranger = await callers.user()
    things = await make_things(callers, owner, "my")
    for name, operation in tagged(app).items():
        path, _ = prepare(operation, things)
        whole = await owner.get(path)
        tag = whole.headers["ETag"]
        for seen in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = await owner.request("GET", path, headers={"if_none_match": seen})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag), name
            assert "Content-Type" not in answer.headers, name
        for other in ('"999"', tag.strip('"'), ""):
            answer = await owner.request("GET", path, headers={"if_none_match": other})
            assert (answer.status_code, answer.json()) == (200, whole.json()), name
        if "{" in operation.path and name != "get_announcement":  # which is everybody's
            foreign = await stranger.request("GET", path, headers={"if_none_match": "*"})
            assert foreign.status_code in {403, 404}, name
