"""A page of somebody else's, at an origin that is allowed, follows a task."""

import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.factories.callers import PASSWORD
from tests.processes import Serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]

HERE = Path(__file__).parent
ACCOUNT = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def pages() -> Iterator[str]:
    """Another origin."""
    handler = partial(_Quiet, directory=str(HERE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def made(client: httpx2.Client, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_it_sees_each_change_over_both_and_misses_none(chromium: Browser, data_dir: Path) -> None:
    with (
        pages() as origin,
        Serving(data_dir, "--no-worker", CORS_ORIGINS=origin) as serving,
        httpx2.Client(base_url=f"{serving.base_url}/api/v1", timeout=30) as client,
    ):
        made(client, "/auth/register", **ACCOUNT)
        form = {"username": "ada", "password": PASSWORD}
        token = client.post("/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        workspace = made(client, "/workspaces", name="W", slug="w")
        project = made(client, f"/workspaces/{workspace['id']}/projects", name="P", key="OPS")
        task, other = (made(client, f"/projects/{project['id']}/tasks", title="T") for _ in range(2))
        context = chromium.new_context()
        page = context.new_page()
        query = {"api": str(client.base_url).rstrip("/"), "token": token}
        query |= {"workspace": workspace["id"], "task": task["id"]}
        page.goto(f"{origin}/follower.html?{urlencode(query)}")
        expect(page).to_have_title("ready")
        expect(page.locator("#ws.ready")).to_be_attached()

        def rename(*titles: str) -> None:
            for title in titles:
                for each in (other, task):
                    client.patch(f"/tasks/{each['id']}", json={"title": title}).raise_for_status()

        rename("One", "Two")
        for kind in ("sse", "ws"):
            expect(page.locator(f"#{kind} li")).to_have_text(["One", "Two"])
        page.evaluate("window.cut()")
        rename("Three", "Four")
        expect(page.locator("#ws li")).to_have_text(["One", "Two", "Three", "Four"])
        expect(page.locator("#sse li")).to_have_text(["One", "Two"])
        page.evaluate("window.begin()")
        expect(page.locator("#sse li")).to_have_text(["One", "Two", "Three", "Four"])
        client.post("/auth/logout").raise_for_status()
        expect(page.locator("#closed")).to_have_text("4401")
        context.close()


def test_a_page_of_a_stranger_gets_nothing(chromium: Browser, data_dir: Path) -> None:
    with (
        pages() as origin,
        Serving(data_dir, "--no-worker", CORS_ORIGINS="https://somebody.example") as serving,
    ):
        context = chromium.new_context()
        page = context.new_page()
        query = {"api": f"{serving.base_url}/api/v1", "token": "x", "workspace": "x", "task": "x"}
        page.goto(f"{origin}/follower.html?{urlencode(query)}")
        expect(page.locator("#closed")).to_have_text("1006")  # refused before it was open
        context.close()
