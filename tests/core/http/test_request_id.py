from uuid import UUID

import pytest
from httpx2 import AsyncClient

from .answers import Request, every_answer

pytestmark = pytest.mark.anyio


class TestRequestId:
    @pytest.mark.parametrize("offered", ["a" * 8, "a" * 64, "Az09._-Az09", "--------"])
    async def test_an_offered_one_is_taken(self, offline: AsyncClient, offered: str) -> None:
        response = await offline.get("/health", headers={"X-Request-ID": offered})
        assert response.headers.get_list("X-Request-ID") == [offered]

    @pytest.mark.parametrize(
        "offered",
        [
            "",
            "a" * 7,
            "a" * 65,
            "with space",
            "<script>alert",
            "umläutiges",
            "a" * 8 + '"',
            "٣" * 8,
            "a" * 8 + "\t",
        ],
    )
    async def test_an_unfit_one_is_replaced(self, offline: AsyncClient, offered: str) -> None:
        response = await offline.get("/health", headers={b"X-Request-ID": offered.encode()})
        assert UUID(response.headers["X-Request-ID"]).version == 7

    async def test_each_request_gets_another(self, offline: AsyncClient) -> None:
        responses = [await offline.get("/health") for _ in range(3)]
        assert len({response.headers["X-Request-ID"] for response in responses}) == 3

    @every_answer
    async def test_stands_in_every_answer(self, offline: AsyncClient, request_: Request) -> None:
        response = await request_.send(offline, **{"X-Request-ID": "request-17"})
        assert response.headers.get_list("X-Request-ID") == ["request-17"]
        if request_.code:
            assert response.json()["error"]["request_id"] == "request-17"
