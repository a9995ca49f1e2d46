"""Deliveries to webhooks on the operations page: below the request that they follow from, and what waits."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from .conftest import wait_for_entries
from .test_browser import PHONE, WIDE, is_in_sight, look_for, opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]

REQUEST_ID = "delivered-in-vain"


class _Refuses(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refuses) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()


def make(admin: httpx2.Client, path: str, **body: Any) -> Any:
    answer = admin.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def request_id(admin: httpx2.Client, refusing: str) -> str:
    """Of a change that a webhook does not take."""
    workspace = make(admin, "/workspaces", name="Otters", slug="otters")
    make(admin, f"/workspaces/{workspace['id']}/webhooks", url=refusing, events=["task.updated"])
    project = make(admin, f"/workspaces/{workspace['id']}/projects", name="Holts", key="HOLT")
    task = make(admin, f"/projects/{project['id']}/tasks", title="Dig")
    path, headers = f"/api/v1/tasks/{task['id']}", {"X-Request-ID": REQUEST_ID}
    assert admin.patch(path, json={"title": "Dig deeper"}, headers=headers).status_code == 200
    wait_for_entries(admin, REQUEST_ID, 2)
    return REQUEST_ID


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_an_attempt_is_an_entry_of_the_request(
    chromium: Browser, base_url: str, request_id: str, size: tuple[int, int], folder: Path | None
) -> None:
    with opened(chromium, base_url, size) as (page, complaints):
        look_for(page, request_id)
        entry = page.locator('[data-entry="delivery"]').first
        expect(entry.locator(".entry-title")).to_have_text("deliver task.updated, attempt 1")
        expect(entry.locator(".pill").first).to_have_text("503 retry")
        expect(entry).to_contain_text("webhook.attempt")
        expect(page.locator(".facts").first).to_contain_text("to deliver")
        assert is_in_sight(page, "[data-cause]", "The receiver answered 503")
        assert is_in_sight(page, "[data-cause]", "in deliver task.updated, attempt 1")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        if folder:
            page.screenshot(path=folder / f"{size[0]}-delivery.png", full_page=True)
    assert complaints == []


def test_it_is_listed_by_what_became_of_it(
    chromium: Browser, base_url: str, request_id: str, folder: Path | None
) -> None:
    with opened(chromium, base_url, WIDE) as (page, complaints):
        page.goto(f"{base_url}/ops#/requests?list=failed&status=retry")
        row = page.locator(f'[data-kind="delivery"][data-request-id="{request_id}"]').first
        expect(row).to_contain_text("deliver task.updated")
        expect(page.locator("[data-status]")).to_contain_text(re.compile("deliver(y|ies), as of"))
        if folder:
            page.screenshot(path=folder / "deliveries.png")
    assert complaints == []


@pytest.mark.parametrize("size", [WIDE, (1024, 768), PHONE], ids=["wide", "tablet", "phone"])
def test_what_waits_is_told(
    chromium: Browser, base_url: str, request_id: str, size: tuple[int, int], folder: Path | None
) -> None:
    del request_id
    with opened(chromium, base_url, size) as (page, complaints):
        expect(page.locator('[data-tile="deliveries"]')).to_contain_text("none is late")
        expect(page.locator('[data-tile="deliveries-retrying"]')).to_contain_text("1")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        if folder:
            page.screenshot(path=folder / f"{size[0]}-now.png")
    assert complaints == []
