"""Logging in with a provider's identity: what the way there and back must prove."""

import asyncio
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.features.identities import service
from tests.conftest import make_client
from tests.core.telemetry.conftest import Log
from tests.features.accounts.sign_in import get_me

from .dance import CALLBACK, START, depart, log_in_with, reason, refusal
from .provider import CLIENT_ID, CLIENT_SECRET, EXPECTED, SHORT, Provider

pytestmark = pytest.mark.anyio


async def test_opens_an_account_and_logs_in(browser: AsyncClient, provider: Provider) -> None:
    answer = await log_in_with(browser, provider)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    me = (await get_me(browser, answer.json())).json()
    assert (me["email"], me["username"], me["name"]) == ("ada@example.com", "ada", "Ada Lovelace")
    assert me["email_verified_at"] is not None


async def test_a_login_page_is_told_with_whom(browser: AsyncClient) -> None:
    answer = await browser.get("/api/v1/auth/oidc")
    assert answer.json() == {"items": [{"name": "acme"}], "next_cursor": None, "total": None}


class TestDeparture:
    async def test_what_the_provider_is_asked(self, browser: AsyncClient, provider: Provider) -> None:
        urls = [urlsplit(await depart(browser)) for _ in range(2)]
        asked = [parse_qs(url.query) for url in urls]
        assert f"{urls[0].scheme}://{urls[0].netloc}{urls[0].path}" == f"{provider.url}/authorize"
        assert asked[0]["redirect_uri"] == ["http://localhost/api/v1/auth/oidc/acme/callback"]
        assert asked[0]["scope"] == ["openid email profile"]
        for secret in ("state", "nonce", "code_challenge"):
            assert len(asked[0][secret][0]) >= 43
            assert asked[0][secret] != asked[1][secret]

    async def test_its_cookie_is_for_the_way_back_only(self, browser: AsyncClient) -> None:
        cookie = (await browser.get(START)).headers["Set-Cookie"]
        name, *attributes = cookie.split("; ")
        assert name.startswith("glasswork_oidc=")
        assert set(attributes) == {"HttpOnly", "Max-Age=600", f"Path={CALLBACK}", "SameSite=lax"}

    async def test_behind_a_proxy_it_is_the_public_address_that_counts(
        self, browser: AsyncClient, change_settings: Callable[..., None]
    ) -> None:
        change_settings(public_url="https://tasks.example/base")
        answer = await browser.get(START, headers={"X-Forwarded-Host": "evil.example"})
        (redirect_uri,) = parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"]
        assert redirect_uri == f"https://tasks.example/base{CALLBACK}"
        assert "Secure" in answer.headers["Set-Cookie"]
        assert f"Path=/base{CALLBACK};" in answer.headers["Set-Cookie"]

    @pytest.mark.parametrize("path", ["nobody", "nobody/callback"])
    async def test_to_nobody(self, browser: AsyncClient, path: str) -> None:
        answer = await browser.get(f"/api/v1/auth/oidc/{path}")
        assert refusal(answer) == (404, "OIDC_PROVIDER_NOT_FOUND")

    async def test_keeps_what_the_endpoint_asks_for_itself(
        self, browser: AsyncClient, provider: Provider
    ) -> None:
        provider.document["authorization_endpoint"] = f"{provider.url}/authorize?tenant=7"
        asked = parse_qs(urlsplit(await depart(browser)).query)
        assert (asked["tenant"], asked["client_id"]) == (["7"], [CLIENT_ID])


class TestWayBack:
    @pytest.mark.parametrize("state", ["", "another", "é" * 43])
    async def test_with_another_state(self, browser: AsyncClient, provider: Provider, state: str) -> None:
        query = provider.consent(await depart(browser))
        assert reason(await browser.get(CALLBACK, params=query | {"state": state})) == "state"
        assert (await browser.get(CALLBACK, params=query)).status_code == 200

    async def test_without_its_cookie(self, browser: AsyncClient, provider: Provider) -> None:
        query = provider.consent(await depart(browser))
        kept = dict(browser.cookies)
        browser.cookies.clear()
        assert reason(await browser.get(CALLBACK, params=query)) == "cookie"
        browser.cookies.update(kept)
        assert (await browser.get(CALLBACK, params=query)).status_code == 200

    async def test_in_another_browser(self, browser: AsyncClient, provider: Provider, app: FastAPI) -> None:
        """Who is sent somebody else's link to the callback is not logged in as somebody else."""
        query = provider.consent(await depart(browser))
        async with make_client(app) as victim:
            await depart(victim)
            assert reason(await victim.get(CALLBACK, params=query)) == "state"
        assert (await browser.get(CALLBACK, params=query)).status_code == 200

    @pytest.mark.parametrize("cookie", ["", "x", "gAAAAA", "é"])
    async def test_with_a_made_up_cookie(self, browser: AsyncClient, provider: Provider, cookie: str) -> None:
        query = provider.consent(await depart(browser))
        browser.cookies.clear()
        header = f"glasswork_oidc={cookie}".encode()
        assert reason(await browser.get(CALLBACK, params=query, headers={b"Cookie": header})) == "cookie"

    async def test_too_late(
        self, browser: AsyncClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = provider.consent(await depart(browser))
        with monkeypatch.context() as late:
            late.setattr(service, "ATTEMPT_LIFETIME", timedelta(seconds=-1))
            assert reason(await browser.get(CALLBACK, params=query)) == "cookie"
        assert (await browser.get(CALLBACK, params=query)).status_code == 200

    async def test_from_another_provider(
        self, browser: AsyncClient, provider: Provider, app: FastAPI
    ) -> None:
        app.state.oidc = app.state.oidc | {"other": app.state.oidc["acme"]}
        query = provider.consent(await depart(browser))
        cookie = {"Cookie": f"glasswork_oidc={browser.cookies['glasswork_oidc']}"}
        answer = await browser.get("/api/v1/auth/oidc/other/callback", params=query, headers=cookie)
        assert reason(answer) == "state"
        assert (await browser.get(CALLBACK, params=query)).status_code == 200

    async def test_having_said_no(self, browser: AsyncClient, provider: Provider) -> None:
        query = provider.consent(await depart(browser))
        denied = {"state": query["state"], "error": "access_denied", "error_description": "no"}
        assert reason(await browser.get(CALLBACK, params=denied)) == "denied"

    async def test_without_a_code(self, browser: AsyncClient, provider: Provider) -> None:
        query = provider.consent(await depart(browser))
        del query["code"]
        assert reason(await browser.get(CALLBACK, params=query)) == "code"

    async def test_twice(self, browser: AsyncClient, provider: Provider) -> None:
        query = provider.consent(await depart(browser))
        kept = dict(browser.cookies)
        assert (await browser.get(CALLBACK, params=query)).status_code == 200
        assert reason(await browser.get(CALLBACK, params=query)) == "cookie"
        browser.cookies.update(kept)
        assert reason(await browser.get(CALLBACK, params=query)) == "code"

    async def test_with_the_code_of_another_attempt(self, browser: AsyncClient, provider: Provider) -> None:
        """An injected code: the verifier that belongs to it is in nobody's cookie but its owner's."""
        stolen = provider.consent(await depart(browser))["code"]
        assert reason(await log_in_with(browser, provider, code=stolen)) == "code"
        assert (await log_in_with(browser, provider)).status_code == 200


class TestProviderFails:
    async def test_down_and_up_again(self, browser: AsyncClient, provider: Provider) -> None:
        await provider.stop()
        answer = await browser.get(START)
        assert refusal(answer) == (503, "OIDC_PROVIDER_UNAVAILABLE")
        assert answer.headers["Retry-After"]
        await provider.start()
        query = provider.consent(await depart(browser))
        await provider.stop()
        assert refusal(await browser.get(CALLBACK, params=query)) == (503, "OIDC_PROVIDER_UNAVAILABLE")
        await provider.start()
        assert (await browser.get(CALLBACK, params=query)).status_code == 200

    async def test_silent(self, browser: AsyncClient, provider: Provider) -> None:
        """It answers nobody, and we do all the same, within the bound."""
        await provider.stop()
        with socket.create_server(("127.0.0.1", provider.port)):
            async with asyncio.timeout(5 * SHORT.total):
                assert refusal(await browser.get(START)) == (503, "OIDC_PROVIDER_UNAVAILABLE")
        await provider.start()
        assert (await browser.get(START)).status_code == 302

    @pytest.mark.parametrize("status", [201, 302, 401, 403, 500])
    async def test_its_answer_is_no_answer(
        self, browser: AsyncClient, provider: Provider, status: int
    ) -> None:
        provider.token_status = status
        assert refusal(await log_in_with(browser, provider)) == (503, "OIDC_PROVIDER_UNAVAILABLE")
        provider.token_status = 200
        assert (await log_in_with(browser, provider)).status_code == 200

    @pytest.mark.parametrize(
        "document",
        [
            {"issuer": "http://127.0.0.1:1"},
            {"issuer": None},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"token_endpoint": "file:///etc/passwd"},
            {"jwks_uri": 7},
        ],
        ids=str,
    )
    async def test_a_document_that_cannot_be_right(
        self, browser: AsyncClient, provider: Provider, document: dict[str, Any]
    ) -> None:
        provider.document |= document
        assert refusal(await browser.get(START)) == (503, "OIDC_PROVIDER_UNAVAILABLE")
        provider.document.clear()
        assert (await browser.get(START)).status_code == 302

    async def test_our_secret_is_not_theirs(
        self, browser: AsyncClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ours to mend, and not for whoever logs in to try again."""
        query = provider.consent(await depart(browser))
        monkeypatch.setattr("tests.features.identities.provider.EXPECTED", "another")
        assert refusal(await browser.get(CALLBACK, params=query)) == (503, "OIDC_PROVIDER_UNAVAILABLE")


async def test_nothing_of_it_is_logged(
    browser: AsyncClient, provider: Provider, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where every line is written, of success and of failure."""
    log.configure("debug")
    query = provider.consent(await depart(browser))
    cookie = browser.cookies["glasswork_oidc"]
    tokens = (await browser.get(CALLBACK, params=query)).json()
    await log_in_with(browser, provider, code="a-code-that-nobody-gave")
    provider.bent = {"nonce": "another"}
    await log_in_with(browser, provider)
    monkeypatch.setattr("tests.features.identities.provider.EXPECTED", "another")
    assert (await log_in_with(browser, provider)).status_code == 503
    assert log.text.count("/api/v1/auth/oidc/*/callback") >= 4
    secrets = [query["code"], query["state"], cookie.strip('"'), *provider.tokens, "a-code-that-nobody-gave"]
    secrets += [tokens["access_token"], tokens["refresh_token"], CLIENT_SECRET, EXPECTED, "ada@example.com"]
    assert [secret for secret in secrets if secret in log.text] == []
