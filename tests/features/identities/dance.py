"""Logging in as a browser does."""

from typing import Any

from httpx2 import AsyncClient, Response

from .provider import Provider

START = "/api/v1/auth/oidc/acme"
CALLBACK = f"{START}/callback"


async def depart(browser: AsyncClient) -> str:
    answer = await browser.get(START)
    assert answer.status_code == 302, answer.text
    location: str = answer.headers["Location"]
    return location


async def log_in_with(browser: AsyncClient, provider: Provider, **changes: Any) -> Response:
    """To the provider and back; changes are those of the callback's query."""
    query = provider.consent(await depart(browser)) | changes
    return await browser.get(CALLBACK, params=query)


def refusal(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def reason(answer: Response) -> str:
    """Why nobody was logged in."""
    assert refusal(answer) == (401, "OIDC_LOGIN_FAILED")
    told: str = answer.json()["error"]["details"]["reason"]
    return told
