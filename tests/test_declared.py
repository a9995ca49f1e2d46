"""The client of the tests sees whether the document tells of what it is answered."""

import pytest
from fastapi import FastAPI
from httpx2 import Request, Response

from .declared import ensure_declared

pytestmark = pytest.mark.anyio

TASK = "http://localhost/api/v1/tasks/01a22301-e6d3-77b5-acc5-34cad7bc70a4"


async def test_a_status_that_no_operation_declares_is_seen(app: FastAPI) -> None:
    ensure = ensure_declared(app)
    with pytest.raises(AssertionError, match="answers 418"):
        await ensure(Response(418, request=Request("GET", TASK)))
    await ensure(Response(404, request=Request("GET", TASK)))
    await ensure(Response(418, request=Request("GET", "http://localhost/nowhere")))
