"""The operations page as people see it: from the id in an answer to the cause, and no harm to them."""

import re
from base64 import b32decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

import httpx2
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from glasswork.core import totp
from tests.factories.callers import PASSWORD
from tests.page.conftest import HOSTILE
from tests.page.faults import FAULTS, Fault

WIDE, PHONE = (1280, 800), (390, 844)
SECONDS = 10_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("browser"),
]  # one server and browser for all


@contextmanager
def opened(
    browser: Browser, base_url: str, size: tuple[int, int], who: str | None = "ada"
) -> Iterator[tuple[Page, list[str]]]:
    """Yield the page, where somebody has signed in, and what the browser complains of."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.extend(_complaint(message)))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{base_url}/ops")
    if who:
        sign_in(page, who)
        page.wait_for_selector('[data-view="now"], [data-view="closed"]')
    yield page, complaints
    context.close()


def _complaint(message: ConsoleMessage) -> Iterator[str]:
    # The browser itself tells of each answer that is none of 2xx.
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        yield message.text


def sign_in(page: Page, who: str, password: str = PASSWORD) -> None:
    page.fill("[name=username]", who)
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")


def open_account_with_totp(base_url: str, username: str) -> list[str]:
    """Return the recovery codes."""
    account = {"email": f"{username}@example.com", "username": username, "name": "G", "password": PASSWORD}
    with httpx2.Client(base_url=f"{base_url}/api/v1") as client:
        client.post("/auth/register", json=account)
        tokens = client.post("/auth/token", data={"username": username, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        secret = client.post("/auth/totp", json={"password": PASSWORD}).json()["secret"]
        code = totp.code_at(b32decode(secret), totp.step_at(time()))
        codes: list[str] = client.post("/auth/totp/confirm", json={"code": code}).json()["recovery_codes"]
    return codes


def look_for(page: Page, request_id: str) -> None:
    """The two steps: paste, and press Enter."""
    page.fill("[data-find] [name=request_id]", request_id)
    page.press("[data-find] [name=request_id]", "Enter")
    page.wait_for_selector(f'[data-view="request"]:has-text("{request_id}") [data-waterfall]')


def is_in_sight(page: Page, selector: str, words: str) -> bool:
    """Whether one of these says so within the first screen."""
    height = page.viewport_size["height"] if page.viewport_size else 0
    for element in page.locator(selector).all():
        box = element.bounding_box()
        said = " ".join((element.text_content() or "").split())
        if box and box["y"] >= 0 and box["y"] + min(box["height"], 20) <= height and words in said:
            return True
    return False


def shows_culprit(page: Page, fault: Fault) -> bool:
    told = is_in_sight(page, "[data-cause]", fault.seen)
    return told and (fault.sql is None or is_in_sight(page, "[data-sql]", fault.sql))


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_culprit_is_on_the_first_screen(
    chromium: Browser,
    base_url: str,
    request_ids: dict[str, str],
    size: tuple[int, int],
    folder: Path | None,
) -> None:
    hidden = []
    with opened(chromium, base_url, size) as (page, complaints):
        for fault in FAULTS:
            look_for(page, request_ids[fault.name])
            if not shows_culprit(page, fault):
                hidden.append(fault.name)
            if folder:
                page.screenshot(path=folder / f"{size[0]}-{fault.name.replace(' ', '-')}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], fault.name
    assert len(FAULTS) == 20
    assert len(hidden) <= 1, hidden
    assert complaints == []


def test_there_is_no_culprit_where_nothing_is_the_matter(
    chromium: Browser, base_url: str, admin: httpx2.Client
) -> None:
    fine = admin.get("/api/v1/users/me").headers["X-Request-ID"]
    with opened(chromium, base_url, WIDE) as (page, _):
        look_for(page, fine)
        assert page.locator("[data-culprit], [data-cause]").count() == 0


def test_what_strangers_write_stays_text(chromium: Browser, base_url: str) -> None:
    httpx2.get(f"{base_url}/api/v1/users/{HOSTILE}", headers={"User-Agent": HOSTILE})
    hostile = httpx2.post(
        f"{base_url}/api/v1/auth/register",
        json={"email": "a@b.example", HOSTILE: HOSTILE},
        headers={"X-Request-ID": "hostile-1"},
    )
    assert hostile.status_code == 422
    with opened(chromium, base_url, WIDE) as (page, complaints):
        look_for(page, "hostile-1")
        page.goto(f"{base_url}/ops#/requests?list=recent&route={HOSTILE}")
        page.wait_for_selector('[data-view="requests"]')
        page.fill("[data-find] [name=request_id]", HOSTILE)
        page.press("[data-find] [name=request_id]", "Enter")
        page.wait_for_selector("text=This is no request id")
        assert page.locator("script:not([src^='/ops/assets/'])").count() == 0
        assert page.locator("img").count() == 0
        assert page.title() != "hurt"
    assert complaints == []


class TestSignIn:
    def test_a_member_sees_nothing(
        self, chromium: Browser, base_url: str, request_ids: dict[str, str]
    ) -> None:
        with opened(chromium, base_url, WIDE, "eve") as (page, _):
            expect(page.locator("[data-main]")).to_contain_text("administrator")
            page.goto(f"{base_url}/ops#/requests/{request_ids['exception']}")
            page.wait_for_selector('[data-view="closed"]')
            assert "KeyError" not in page.content()

    def test_with_a_wrong_password_there_is_only_the_form(self, chromium: Browser, base_url: str) -> None:
        with opened(chromium, base_url, WIDE, None) as (page, _):
            sign_in(page, "ada", "another otter 7777")
            expect(page.locator("[data-alert]")).to_be_visible()
            assert page.locator('[data-view="sign-in"]').count() == 1

    def test_where_there_is_a_second_factor_it_asks_for_the_code(
        self, chromium: Browser, base_url: str
    ) -> None:
        recovery_codes = open_account_with_totp(base_url, "grace")
        with opened(chromium, base_url, WIDE, None) as (page, _):
            expect(page.locator("[name=code]")).to_be_hidden()
            sign_in(page, "grace")
            expect(page.locator("[name=code]")).to_be_focused()
            page.fill("[name=code]", "nothing")
            page.press("[name=code]", "Enter")
            expect(page.locator("[data-alert]")).to_contain_text("not valid")
            page.fill("[name=code]", recovery_codes[0])
            page.press("[name=code]", "Enter")
            page.wait_for_selector('[data-view="closed"]')

    def test_a_link_leads_on_after_it(
        self, chromium: Browser, base_url: str, request_ids: dict[str, str]
    ) -> None:
        with opened(chromium, base_url, WIDE, None) as (page, _):
            page.goto(f"{base_url}/ops#/requests/{request_ids['missing table']}")
            sign_in(page, "ada")
            page.wait_for_selector("[data-sql]")

    def test_the_token_is_kept_nowhere(self, chromium: Browser, base_url: str) -> None:
        with opened(chromium, base_url, WIDE) as (page, _):
            assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
            page.reload()
            page.wait_for_selector('[data-view="sign-in"]')


class TestViews:
    def test_numbers_are_live(self, chromium: Browser, base_url: str, folder: Path | None) -> None:
        with opened(chromium, base_url, WIDE) as (page, complaints):
            page.wait_for_selector('[data-status][data-state="live"]')
            for name in ("rate", "errors", "p50", "p99", "in-flight", "lag", "pool", "memory", "dead"):
                expect(page.locator(f'[data-tile="{name}"]')).to_have_text(re.compile(r"\d"))
            assert page.locator("[data-plot] canvas").count() >= 6
            tables = page.get_by_text("as a table")
            assert tables.count() >= 6
            tables.first.click()
            expect(page.locator("details[open] table").first).to_be_visible()
            if folder:
                page.screenshot(path=folder / "now.png", full_page=True)
        assert complaints == []

    def test_a_dead_job_is_put_back(
        self, chromium: Browser, base_url: str, request_ids: dict[str, str]
    ) -> None:
        del request_ids
        with opened(chromium, base_url, WIDE) as (page, complaints):
            page.goto(f"{base_url}/ops#/jobs")
            button = page.locator("[data-put-back]").first
            job = button.get_attribute("data-put-back")
            button.click()
            expect(page.locator(f'[data-job="{job}"]')).to_contain_text("A worker takes it next")
        assert complaints == []

    @pytest.mark.parametrize(
        ("name", "words"),
        [("routes", "/api/v1/auth/register"), ("database", "idle"), ("process", "glasswork.requests")],
    )
    def test_each_shows_what_there_is(self, chromium: Browser, base_url: str, name: str, words: str) -> None:
        with opened(chromium, base_url, PHONE) as (page, complaints):
            page.goto(f"{base_url}/ops#/{name}")
            page.wait_for_selector(f'[data-view="{name}"]')
            expect(page.locator(f'[data-view="{name}"]')).to_contain_text(words)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert complaints == []

    def test_a_level_is_set(self, chromium: Browser, base_url: str, admin: httpx2.Client) -> None:
        with opened(chromium, base_url, WIDE) as (page, complaints):
            page.goto(f"{base_url}/ops#/process")
            row = page.locator('[data-logger="glasswork.jobs"]')
            row.locator("select").select_option("error")
            row.locator("button").click()
            expect(page.locator('[data-logger="glasswork.jobs"]')).to_contain_text("then as before")
        (level,) = (
            each for each in admin.get("/ops/api/loggers").json()["items"] if each["name"] == "glasswork.jobs"
        )
        assert level["level"] == "ERROR"
        assert complaints == []
