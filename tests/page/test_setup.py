"""The link that `glasswork serve` prints, opened by whoever is to be the first administrator."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.factories.callers import PASSWORD
from tests.page.test_browser import PHONE, SECONDS, WIDE, _complaint
from tests.processes import Serving, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]


def printed_link(serving: Serving) -> str:
    found = until(lambda: re.search(r"^ +(http\S+/setup#token=gws_\S+)$", serving.output, re.MULTILINE))
    return found[1]


@pytest.fixture
def complaints() -> list[str]:
    """Of the browser, at the end of the test."""
    return []


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def page(request: pytest.FixtureRequest, chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    width, height = request.param
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.on("console", lambda message: complaints.extend(_complaint(message)))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.press("[name=password]", "Enter")


def test_a_stranger_finds_the_way(
    page: Page, data_dir: Path, complaints: list[str], folder: Path | None
) -> None:
    with Serving(data_dir) as serving:
        link = printed_link(serving)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(link.partition("#")[0])
        expect(page.locator("h1:visible")).to_have_text("This link is not whole")
        page.goto(f"{link[:-4]}AAAA")
        account = {"email": "boss@example.com", "username": "boss", "name": "The <b>Boss</b>"}
        fill(page, **account, password=PASSWORD)
        expect(page.get_by_role("alert")).to_contain_text("This link does not work")
        page.goto(link)
        fill(page, email="boss", username="a b", name=" ", password="password1234")
        for name in ("email", "username", "name"):
            expect(page.locator(f"#of-{name}")).not_to_be_empty()
        fill(page, **account, password="password1234")
        expect(page.locator("#of-password")).to_have_text("It is too easy to guess.")
        if folder:
            page.screenshot(path=folder / f"setup-{page.viewport_size}.png", full_page=True)
        fill(page, **account, password=PASSWORD)
        expect(page.locator("h1:visible")).to_have_text("The <b>Boss</b> is the administrator")
        assert "#" not in page.url
        assert all(url.startswith(serving.base_url) and "gws_" not in url.partition("#")[0] for url in asked)
        page.goto(link)
        fill(page, **account, password=PASSWORD)
        expect(page.locator("h1:visible")).to_have_text("There is an administrator already")
        form = {"username": "boss", "password": PASSWORD}
        token = serving.client.post("/api/v1/auth/token", data=form).json()["access_token"]
        users = serving.client.get("/api/v1/users", headers={"Authorization": f"Bearer {token}"})
        assert [user["role"] for user in users.json()["items"]] == ["admin"]
    assert not complaints
    with Serving(data_dir) as again:
        again.client.get("/health")
    assert "/setup" not in again.output
