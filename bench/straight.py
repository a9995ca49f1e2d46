"""Requests that go straight into an app, without a socket: what they cost is the app's."""

from typing import Any

from starlette.types import ASGIApp

OK = 200


async def ask(app: ASGIApp, path: str, token: str, times: int = 1) -> None:
    """GET a path, with its query, which must be answered 200."""
    where, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", OK) == OK, message

    for _ in range(times):
        await app(dict(scope), receive, send)
