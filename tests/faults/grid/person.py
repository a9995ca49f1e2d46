"""Somebody who asks over HTTP, and is not told more than that."""

from collections.abc import Mapping
from secrets import token_hex
from time import monotonic
from typing import Any, Self

import httpx2

from tests.factories.callers import PASSWORD

from .ledger import Answer

PATIENCE = 20
"""Seconds, after which nothing is expected any more."""


class Person:
    def __init__(self, base_url: str) -> None:
        self.name = f"p{token_hex(6)}"
        self.email = f"{self.name}@example.com"
        self.token = ""
        self.base_url = base_url
        self._client = httpx2.AsyncClient(
            timeout=PATIENCE, trust_env=False, limits=httpx2.Limits(max_connections=None)
        )

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Answer:
        """Raises nothing that a network can do."""
        base = "" if path in {"/health", "/ready"} else "/api/v1"
        authorized = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        began = monotonic()
        try:
            answer = await self._client.request(
                method, f"{self.base_url}{base}{path}", headers=authorized | dict(headers or {}), **options
            )
        except httpx2.TransportError:
            return Answer(None, monotonic() - began)
        is_json = "json" in answer.headers.get("Content-Type", "")
        body = answer.json() if is_json else None
        return Answer(answer.status_code, monotonic() - began, body, answer.content)

    async def make(self, path: str, **body: Any) -> Any:
        """Post what must succeed."""
        answer = await self.ask("POST", path, json=body)
        assert answer.is_good, answer
        return answer.body

    async def all(self, path: str, **query: Any) -> list[Any]:
        """Of a list, page after page."""
        items: list[Any] = []
        query["limit"] = 100
        while True:
            page = await self.ask("GET", path, params=query)
            assert page.is_good, page
            items += page.body["items"]
            query["cursor"] = page.body["next_cursor"]
            if query["cursor"] is None:
                return items

    async def sign_up(self) -> None:
        account = {"email": self.email, "username": self.name, "name": self.name, "password": PASSWORD}
        await self.make("/auth/register", **account)
        answer = await self.sign_in()
        assert answer.is_good, answer
        self.token = answer.body["access_token"]

    async def sign_in(self) -> Answer:
        return await self.ask("POST", "/auth/token", data={"username": self.name, "password": PASSWORD})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
