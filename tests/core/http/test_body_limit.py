from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

pytestmark = pytest.mark.anyio

REGISTER = "/api/v1/auth/register"
JSON = {"Content-Type": "application/json"}


class Body:
    """Sent in chunks of a quarter megabyte; it knows how many were taken."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.chunks):
            self.taken += 1
            yield b" " * 262_144


class TestBodyLimit:
    async def test_a_declared_body_is_refused_before_it_is_read(self, offline: AsyncClient) -> None:
        body = Body(chunks=200)
        headers = JSON | {"Content-Length": str(50 * 2**20)}
        response = await offline.post(REGISTER, content=body, headers=headers)
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
        assert response.json()["error"]["message"] == "The body may have 1048576 bytes."
        assert body.taken == 0

    @pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
    async def test_a_chunked_body_is_refused_while_it_is_read(self, offline: AsyncClient, kind: str) -> None:
        body = Body(chunks=200)
        path = REGISTER if "json" in kind else "/api/v1/auth/token"
        response = await offline.post(path, content=body, headers={"Content-Type": kind})
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
        assert response.json()["error"]["request_id"] == response.headers["X-Request-ID"]
        assert body.taken == 5

    async def test_what_is_longer_than_declared_is_refused_too(self, offline: AsyncClient) -> None:
        headers = JSON | {"Content-Length": "1024"}
        response = await offline.post(REGISTER, content=Body(chunks=5), headers=headers)
        assert response.status_code == 413

    @pytest.mark.parametrize("length", ["-1", "many", "1e9", ""])
    async def test_a_length_that_is_none_is_not_believed(self, offline: AsyncClient, length: str) -> None:
        headers = JSON | {"Content-Length": length}
        response = await offline.post(REGISTER, content=Body(chunks=5), headers=headers)
        assert response.status_code == 413

    async def test_a_body_up_to_the_limit_is_read(self, offline: AsyncClient) -> None:
        chunked = await offline.post(REGISTER, content=Body(chunks=4), headers=JSON)
        declared = await offline.post(REGISTER, content=b" " * 2**20, headers=JSON)
        assert {chunked.status_code, declared.status_code} == {400}
        assert chunked.json()["error"]["code"] == "MALFORMED_REQUEST"
