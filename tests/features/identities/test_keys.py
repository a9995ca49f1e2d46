"""What is kept of a provider, for how long, and what happens when it changes its keys."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from glasswork.core.oidc import DISCOVERY_SECONDS, KEYS_SECONDS, RENEWALS_APART, OidcLoginFailedError
from glasswork.core.oidc import Provider as Known
from glasswork.core.outgoing import Outgoing
from glasswork.core.settings import DISCOVERY_PATH, OidcClient
from tests.conftest import make_settings

from .provider import EC, RSA, STRANGER, Provider, SigningKey

pytestmark = pytest.mark.anyio

NONCE, VERIFIER, CALLBACK = "nonce", "verifier", "http://localhost/callback"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def known(provider: Provider, clock: Clock) -> AsyncIterator[Known]:
    settings = make_settings("postgresql+asyncpg://nobody@nowhere/nothing", outgoing_allowed=("127.0.0.0/8",))
    outgoing = Outgoing(settings.outgoing_allowed)
    yield Known(OidcClient.model_validate(provider.settings), outgoing, clock)
    await outgoing.close()


async def log_in(known: Known, provider: Provider) -> None:
    url = await known.authorization_url(CALLBACK, "state", NONCE, VERIFIER)
    assert parse_qs(urlsplit(url).query)["state"] == ["state"]
    claims = await known.redeem(provider.consent(url)["code"], CALLBACK, NONCE, VERIFIER)
    assert claims.subject == "ada-1815"


async def test_it_is_asked_once_in_a_while(known: Known, provider: Provider, clock: Clock) -> None:
    for _ in range(3):
        await log_in(known, provider)
    assert (provider.asked.count(DISCOVERY_PATH), provider.asked.count("/keys")) == (1, 1)
    clock.now += max(DISCOVERY_SECONDS, KEYS_SECONDS)
    await log_in(known, provider)
    assert (provider.asked.count(DISCOVERY_PATH), provider.asked.count("/keys")) == (2, 2)


async def test_a_new_key_is_looked_for_at_once(known: Known, provider: Provider) -> None:
    await log_in(known, provider)
    new = SigningKey.make("ES256")
    provider.keys, provider.signs_with = [new], new
    await log_in(known, provider)
    assert provider.asked.count("/keys") == 2


async def test_a_key_that_was_withdrawn_is_not_believed(
    known: Known, provider: Provider, clock: Clock
) -> None:
    provider.keys = [RSA, EC]
    await log_in(known, provider)
    provider.keys = [EC]
    clock.now += KEYS_SECONDS
    with pytest.raises(OidcLoginFailedError, match="who you are"):
        await log_in(known, provider)
    provider.signs_with = EC
    await log_in(known, provider)


async def test_names_of_no_keys_do_not_make_us_ask_and_ask(
    known: Known, provider: Provider, clock: Clock
) -> None:
    await log_in(known, provider)
    provider.signs_with = STRANGER
    for _ in range(3):
        with pytest.raises(OidcLoginFailedError):
            await log_in(known, provider)
    assert provider.asked.count("/keys") == 2
    clock.now += RENEWALS_APART
    provider.keys = [STRANGER]
    await log_in(known, provider)
    assert provider.asked.count("/keys") == 3
