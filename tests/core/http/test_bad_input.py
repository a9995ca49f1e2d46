"""What no handler ever sees, or what the database could not hold."""

from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio

HUGE = "1" + "0" * 100


async def post(client: AsyncClient, body: bytes, kind: str = "application/json") -> Response:
    return await client.post("/api/v1/auth/register", content=body, headers={"Content-Type": kind})


def fault_of(response: Response) -> dict[str, Any]:
    assert response.status_code == 422, response.text
    fault: dict[str, Any] = response.json()["error"]["details"]["errors"][0]
    return fault


class TestBody:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"{]",
            b'{"name": }',
            b"{'name': 'Ada'}",
            b'{"name": "Ada",}',
            b'{"name": "\xff"}',
            b"\xff\xfe",
            b'{"a":' * 100_000,
            b"[" * 100_000 + b"]" * 100_000,
            b'{"a": ' + b"9" * 5000 + b"}",
        ],
        ids=lambda body: str(body[:12]),
    )
    async def test_that_is_no_json_is_malformed(self, offline: AsyncClient, body: bytes) -> None:
        response = await post(offline, body)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "MALFORMED_REQUEST"
        assert response.json()["error"]["details"] == {}

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"[{}]", b'"{}"', b"7", b"NaN", b"true"])
    async def test_that_is_no_object_is_not_valid(self, offline: AsyncClient, body: bytes) -> None:
        assert fault_of(await post(offline, body))["loc"] == ["body"]

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=B", ""])
    async def test_of_another_kind_is_not_valid(self, offline: AsyncClient, kind: str) -> None:
        response = await post(offline, b'{"name": "Ada"}', kind)
        assert fault_of(response)["loc"] == ["body"]
        assert "Ada" not in response.text

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/merge-patch+json"])
    async def test_of_a_kind_of_json_is_read(self, offline: AsyncClient, kind: str) -> None:
        assert fault_of(await post(offline, b'{"name": "Ada"}', kind))["loc"] == ["body", "email"]

    @pytest.mark.parametrize(
        "value", [f"{HUGE}", "1e400", "-Infinity", "{}", "[]", '"\\ud800"', '"a\\u0000b"']
    )
    async def test_with_such_a_value_is_not_valid(self, callers: Callers, value: str) -> None:
        body = f'{{"slug": "operations", "name": {value}}}'
        user = await callers.user()
        response = await user.request(
            "POST", "/workspaces", content=body, headers={"Content_Type": "application/json"}
        )
        assert fault_of(response)["loc"] == ["body", "name"]

    @pytest.mark.parametrize("name", ["\\ud800", "a\\u0000b", "\\u202e", "", "__proto__", "x" * 1000])
    async def test_with_such_a_name_is_not_valid(self, callers: Callers, name: str) -> None:
        body = f'{{"slug": "operations", "name": "Operations", "{name}": 1}}'
        user = await callers.user()
        response = await user.request(
            "POST", "/workspaces", content=body, headers={"Content_Type": "application/json"}
        )
        assert fault_of(response)["loc"][0] == "body"

    async def test_that_is_right_is_taken(self, callers: Callers) -> None:
        body = '{"slug": "operations", "name": "Operations \\ud83e\\udda6"}'
        user = await callers.user()
        response = await user.request(
            "POST", "/workspaces", content=body, headers={"Content_Type": "application/json"}
        )
        assert response.status_code == 201
        assert response.json()["name"] == "Operations \N{OTTER}"


class TestQuery:
    @pytest.mark.parametrize("path", ["/workspaces", "/users/me", "/users", f"/tasks/{UUID(int=7)}"])
    async def test_an_unknown_parameter_is_not_valid(self, callers: Callers, path: str) -> None:
        user = await callers.user()
        fault = fault_of(await user.get(path, colour="red"))
        assert (fault["loc"], fault["code"]) == (["query", "colour"], "extra_forbidden")

    async def test_an_unknown_parameter_of_a_write_is_not_valid(self, callers: Callers) -> None:
        user = await callers.user()
        response = await user.request("POST", "/auth/logout", params={"everywhere": "true"})
        assert fault_of(response)["loc"] == ["query", "everywhere"]
        assert (await user.get("/users/me")).status_code == 200

    @pytest.mark.parametrize("query", ["=1", "%ff=1", "%00=1", "limit%00=1", "Limit=1", "limit[]=1"])
    async def test_a_strange_name_is_not_valid(self, callers: Callers, query: str) -> None:
        user = await callers.user()
        assert fault_of(await user.request("GET", f"/workspaces?{query}"))["code"] == "extra_forbidden"

    @pytest.mark.parametrize("limit", [HUGE, f"-{HUGE}", "1e2", "٣", "", "1\0", "NaN", "0", "101"], ids=ascii)
    async def test_a_wrong_number_is_not_valid(self, callers: Callers, limit: str) -> None:
        user = await callers.user()
        response = await user.get("/workspaces", limit=limit)
        assert fault_of(response)["loc"] == ["query", "limit"]
        assert HUGE not in response.text

    @pytest.mark.parametrize("cursor", ["nonsense", "", "a\0", "A" * 2001, "W10", "WyJhIl0", "eyJhIjoxfQ"])
    async def test_a_wrong_cursor_is_not_valid(self, callers: Callers, cursor: str) -> None:
        user = await callers.user()
        assert fault_of(await user.get("/workspaces", cursor=cursor))["loc"] == ["query", "cursor"]

    async def test_known_parameters_are_taken(self, callers: Callers) -> None:
        user = await callers.user()
        assert (await user.get("/workspaces", limit=1, total="true", sort="-name")).status_code == 200


@pytest.mark.parametrize("id_", ["ada", "%00", "%ff", "0" * 33, "..%2f", "urn:uuid:", "😀"])
async def test_an_id_that_is_none_is_not_valid(callers: Callers, id_: str) -> None:
    user = await callers.user()
    response = await user.get(f"/tasks/{id_}")
    assert response.status_code in {404, 422}
    assert response.json()["error"]["code"] in {"NOT_FOUND", "VALIDATION_ERROR"}
