"""GitHub's REST API on a real socket, as far as a repository's issues are read from it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.core.outside import Respond, answer

REPOSITORY = "lighthouse/keeper-notes"
HOME = f"https://github.com/{REPOSITORY}"


def make_issue(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": 1000 + number,
        "number": number,
        "title": f"Note {number}",
        "html_url": f"{HOME}/issues/{number}",
        "state": "open",
        "user": {"login": "keeper", "id": 1},
        "assignees": [],
        "labels": [],
        "body": None,
        "comments": 0,
        "created_at": f"2020-01-01T08:{number:02}:00Z",
        "updated_at": "2020-01-02T08:00:00Z",
        "closed_at": None,
    } | fields


def make_comment(number: int, body: str, **fields: Any) -> dict[str, Any]:
    """`number` is the issue's."""
    return {
        "id": 2000 + number,
        "issue_url": f"https://api.github.com/repos/{REPOSITORY}/issues/{number}",
        "html_url": f"{HOME}/issues/{number}#issuecomment-1",
        "user": {"login": "mate", "id": 2},
        "body": body,
        "created_at": "2020-01-01T09:00:00Z",
        "updated_at": "2020-01-01T09:00:00Z",
    } | fields


@dataclass(frozen=True)
class Asked:
    path: str
    """With its query, below the base URL."""
    headers: Mapping[str, str]


@dataclass
class Github:
    """Answers as GitHub does, but for what stands in `instead` of the next answers."""

    issues: list[Any] = field(default_factory=list)
    comments: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    page: int = 2
    """Records of a page, at most."""
    instead: list[bytes | Respond | None] = field(default_factory=list)
    """None: as ever."""
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v3"

    @property
    def pages(self) -> list[str]:
        """What was asked for of issues and comments, oldest first, as `issues 2`."""
        found = []
        for asked in self.asked:
            parts = urlsplit(asked.path)
            query = parse_qs(parts.query)
            if query.get("direction") == ["asc"]:
                kind = "comments" if parts.path.endswith("/comments") else "issues"
                found.append(f"{kind} {query.get('page', ['1'])[0]}")
        return found

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Github"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            path = first.split(" ")[1].removeprefix("/api/v3")
            self.asked.append(Asked(path, headers))
            given = self.instead.pop(0) if self.instead else None
            if callable(given):
                await given(writer)
            else:
                writer.write(given or self._answer(path))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> bytes:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        where = parts.path.removeprefix(f"/repos/{REPOSITORY}").removeprefix("/repositories/1")
        lists = {"/issues": self.issues, "/issues/comments": self.comments, "/labels": self.labels}
        if where == "":
            return answer(body=json.dumps({"full_name": REPOSITORY, "html_url": HOME}).encode())
        if where not in lists:
            return answer("404 Not Found", b'{"message": "Not Found"}')
        records = lists[where]
        if query.get("state", "all") != "all":
            records = [each for each in records if each["state"] == query["state"]]
        if query.get("direction") == "desc":
            records = records[::-1]
        size, number = min(self.page, int(query["per_page"])), int(query.get("page", 1))
        shown = records[(number - 1) * size : number * size]
        last = -(-len(records) // size)
        links = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        told = ", ".join(
            f'<{self.url}/repositories/1{where}?{urlencode(query | {"page": page})}>; rel="{name}"'
            for name, page in links.items()
            if 1 <= page <= last and page != number
        )
        return answer("200 OK", json.dumps(shown).encode(), *([f"Link: {told}"] if told else []))
