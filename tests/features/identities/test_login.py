"""Logging in with a provider's identity, from the redirect to the tokens."""

import pytest
from httpx2 import AsyncClient

from tests.features.accounts.sign_in import get_me

from .dance import log_in_with
from .provider import Provider

pytestmark = pytest.mark.anyio


async def test_opens_an_account_and_logs_in(browser: AsyncClient, provider: Provider) -> None:
    answer = await log_in_with(browser, provider)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    me = (await get_me(browser, answer.json())).json()
    assert (me["email"], me["username"], me["name"]) == ("ada@example.com", "ada", "Ada Lovelace")
    assert me["email_verified_at"] is not None
