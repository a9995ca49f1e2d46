import json
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from glasswork.app import create_app
from glasswork.core.errors import BrokenOffError, RateLimitError, ValidationError
from glasswork.core.http.errors import declare, response_for
from glasswork.core.settings import Settings

from .answers import Request, every_answer

pytestmark = pytest.mark.anyio


class TestEnvelope:
    @every_answer
    async def test_is_the_whole_answer_to_every_refusal(
        self, offline: AsyncClient, request_: Request
    ) -> None:
        response = await request_.send(offline)
        if request_.code is None:
            return
        assert response.headers["Content-Type"] == "application/json"
        error = response.json()["error"]
        assert response.json() == {"error": error}
        assert error.keys() == {"code", "message", "details", "request_id", "trace_id"}
        assert error["code"] == request_.code
        assert error["message"].endswith(".")

    async def test_a_bug_tells_nothing_but_the_id(self, offline: AsyncClient) -> None:
        response = await offline.get("/bug")
        assert response.json() == {
            "error": {
                "code": "INTERNAL_ERROR",
                "message": "Something went wrong on our side.",
                "details": {},
                "request_id": response.headers["X-Request-ID"],
                "trace_id": response.headers["traceresponse"].split("-")[1],
            }
        }

    async def test_the_frameworks_own_refusals_have_codes_too(self) -> None:
        assert b'"IM_A_TEAPOT"' in bytes(response_for(HTTPException(418)).body)
        assert b'"UNSUPPORTED_MEDIA_TYPE"' in bytes(response_for(HTTPException(415)).body)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
async def test_who_forgets_to_say_that_it_is_json_is_told(offline: AsyncClient, kind: str) -> None:
    path, body = "/api/v1/auth/register", '{"email": "ada@example.com"}'
    response = await offline.post(path, content=body, headers={"Content-Type": kind})
    assert response.status_code == 422
    (fault,) = response.json()["error"]["details"]["errors"]
    assert fault["loc"] == ["body"]
    assert "Content-Type: application/json" in fault["message"]
    response = await offline.post(path, content=body, headers={"Content-Type": "application/json"})
    assert "Content-Type" not in response.text


async def test_a_name_that_utf_8_cannot_carry_is_escaped() -> None:
    response = response_for(ValidationError.at(["body", "\ud800"], "unknown field"))
    assert json.loads(bytes(response.body))["error"]["details"]["errors"][0]["loc"] == ["body", "\ud800"]


async def test_a_bug_in_the_middle_of_an_answer_breaks_it_off(settings: Settings) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"the first part"
        raise RuntimeError("a bug")

    async def stream() -> StreamingResponse:
        return StreamingResponse(parts())

    app = create_app(settings)
    app.add_api_route("/stream", stream, response_model=None)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://localhost") as client:
        with pytest.raises(BrokenOffError):
            await client.get("/stream")


class TestMethodNotAllowed:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/api/v1/users/me", "DELETE, GET, PATCH"),
            ("DELETE", "/api/v1/workspaces", "GET, POST"),
            ("GET", "/api/v1/auth/token", "POST"),
            ("HEAD", "/api/v1/users/me", "DELETE, GET, PATCH"),
            ("OPTIONS", "/api/v1/users", "GET"),
            ("BREW", "/api/v1/users", "GET"),
            ("POST", "/health", "GET"),
            ("POST", "/metrics", "GET, HEAD"),
            ("POST", "/docs", "GET, HEAD"),
            ("POST", "/docs/assets/favicon.png", "GET, HEAD"),
        ],
    )
    async def test_names_all_methods_of_the_path(
        self, offline: AsyncClient, method: str, path: str, allowed: str
    ) -> None:
        response = await offline.request(method, path)
        assert response.status_code == 405
        assert response.headers.get_list("Allow") == [allowed]

    @pytest.mark.parametrize("path", ["/api/v1/users/me/", "/api/v1//users/me", "/API/v1/users/me", "/"])
    async def test_a_path_that_is_none_is_not_found(self, offline: AsyncClient, path: str) -> None:
        response = await offline.put(path)
        assert response.status_code == 404
        assert "Location" not in response.headers


def test_declared_errors_of_one_status_share_its_entry() -> None:
    class OtherError(ValidationError):
        code = "OTHER"

    declared = declare(ValidationError, OtherError, RateLimitError)
    assert declared.keys() == {422, 429}
    assert declared[422]["description"] == "`VALIDATION_ERROR`, `OTHER`"


async def test_the_documents_errors_are_ours(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    assert {"ErrorResponse", "ValidationErrorResponse"} <= schemas.keys()
    assert "HTTPValidationError" not in schemas
