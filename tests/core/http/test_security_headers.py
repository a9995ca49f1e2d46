import pytest
from httpx2 import AsyncClient

from .answers import Request, every_answer

pytestmark = pytest.mark.anyio


@every_answer
async def test_stand_in_every_answer_once(offline: AsyncClient, request_: Request) -> None:
    headers = (await request_.send(offline)).headers
    assert headers.get_list("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"]
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("X-Frame-Options") == ["DENY"]
    assert headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert headers.get_list("Cache-Control") == ["private, no-cache"]
    (policy,) = headers.get_list("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy
    assert ("default-src 'none'" in policy) is (request_.path != "/docs" or request_.status != 200)


async def test_do_not_tell_what_serves(offline: AsyncClient) -> None:
    headers = (await offline.get("/health")).headers
    assert "Server" not in headers
    assert "X-Powered-By" not in headers
