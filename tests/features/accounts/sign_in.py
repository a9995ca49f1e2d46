"""Registration and login as a client does them."""

from typing import Any

from httpx2 import AsyncClient, Response

from tests.factories.callers import PASSWORD

ADA = {"email": "Ada@example.com", "username": "Ada_L", "name": "Ada Lovelace", "password": PASSWORD}


async def register(client: AsyncClient, **changes: Any) -> Response:
    return await client.post("/api/v1/auth/register", json=ADA | changes)


async def log_in(client: AsyncClient, login: str, password: str = PASSWORD) -> Response:
    return await client.post("/api/v1/auth/token", data={"username": login, "password": password})


async def refresh(client: AsyncClient, token: str) -> Response:
    return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def log_out(client: AsyncClient, tokens: dict[str, Any]) -> Response:
    return await client.post("/api/v1/auth/logout", headers=bearer(tokens))


async def get_me(client: AsyncClient, tokens: dict[str, Any]) -> Response:
    return await client.get("/api/v1/users/me", headers=bearer(tokens))


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def error_of(response: Response) -> dict[str, Any]:
    """Everything but the ids of the request."""
    error: dict[str, Any] = response.json()["error"]
    return {key: value for key, value in error.items() if key not in {"request_id", "trace_id"}}
