"""Swagger's page, as somebody uses it who wants to try the API."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.factories.callers import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]


@pytest.fixture
def page(chromium: Browser, base_url: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(40_000)  # Swagger UI draws the whole document first
    page.goto(f"{base_url}/docs")
    yield page
    context.close()


def authorize(page: Page, scheme: str, fields: dict[str, str]) -> Locator:
    """Fill in the form of a scheme; return it as it looks then."""
    page.locator(".btn.authorize").click()
    form = page.locator(".auth-container").filter(has=page.locator("h4", has_text=scheme))
    for field, value in fields.items():
        form.locator(f"#{field}").fill(value)
    form.locator("button.authorize").click()
    return form


def ask_who_i_am(page: Page) -> Locator:
    page.locator(".btn-done").first.click()
    operation = page.locator("#operations-users-get_me")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table tbody")


def test_a_wrong_password_is_told(page: Page) -> None:
    form = authorize(page, "Session", {"oauth_username": "eve", "oauth_password": "not hers at all"})
    expect(form.locator(".errors")).to_contain_text("Unauthorized")


def test_the_button_logs_in(page: Page) -> None:
    authorize(page, "Session", {"oauth_username": "eve", "oauth_password": PASSWORD})
    expect(ask_who_i_am(page)).to_contain_text("eve@example.com")


def test_it_takes_an_api_token(page: Page, base_url: str) -> None:
    form = {"username": "eve", "password": PASSWORD}
    session = httpx2.post(f"{base_url}/api/v1/auth/token", data=form).json()["access_token"]
    new = {"name": "docs", "scopes": ["profile:read"]}
    headers = {"Authorization": f"Bearer {session}"}
    token = httpx2.post(f"{base_url}/api/v1/auth/api-tokens", json=new, headers=headers).json()["token"]
    authorize(page, "ApiToken", {"auth-bearer-value": token})
    expect(ask_who_i_am(page)).to_contain_text("eve@example.com")
