from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query

from glasswork.core.http import errors
from glasswork.core.http.dependencies import IfMatch, refuse_unknown_query
from tests.conftest import make_client

pytestmark = pytest.mark.anyio


async def paint(if_match: IfMatch, colour: Annotated[str, Query(alias="shade")] = "red") -> str:
    return f"{colour} {if_match.versions}"


@pytest.mark.parametrize(
    ("query", "status"), [("", 200), ("?shade=blue", 200), ("?colour=blue", 422), ("?if_match=1", 422)]
)
async def test_a_single_parameter_is_known_by_its_alias(query: str, status: int) -> None:
    app, router = FastAPI(), APIRouter()
    router.add_api_route("/paint", paint)
    app.include_router(router, prefix="/api", dependencies=[Depends(refuse_unknown_query)])
    errors.install(app)
    async with make_client(app) as client:
        assert (await client.get(f"/api/paint{query}")).status_code == status
