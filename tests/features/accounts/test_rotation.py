"""JWT_SECRET is changed machine by machine, twice, and nobody is logged out."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from glasswork.core.tokens import Keys
from tests.factories.callers import Callers

from .sign_in import error_of, get_me, log_in, refresh

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ("first" * 8, "second" * 8, "third" * 8)
STEPS = [
    # the secret, and those that are accepted too
    Keys.derive(FIRST),
    Keys.derive(FIRST, SECOND),
    Keys.derive(SECOND, FIRST),
    Keys.derive(SECOND, FIRST, THIRD),
    Keys.derive(THIRD, FIRST, SECOND),
]


@pytest.fixture(autouse=True)
def _same_keys_afterwards(app: FastAPI) -> Iterator[None]:
    keys = app.state.keys
    yield
    app.state.keys = keys


async def at(app: FastAPI, keys: Keys, client: AsyncClient, email: str, known: list[Response]) -> None:
    """Let a machine with these keys answer whoever has logged in anywhere, and one more."""
    app.state.keys = keys
    known.append(await log_in(client, email))
    for place, answer in enumerate(known):
        assert (await get_me(client, answer.json())).status_code == 200
        known[place] = await refresh(client, answer.json()["refresh_token"])
        assert known[place].status_code == 200


async def test_nobody_is_logged_out(app: FastAPI, callers: Callers) -> None:
    email = (await callers.user()).email
    known: list[Response] = []
    for before, after in pairwise(STEPS):
        for keys in (before, after, before, after):
            await at(app, keys, callers.client, email, known)
    assert len(known) == 4 * (len(STEPS) - 1)


async def test_without_the_step_between_they_are(app: FastAPI, callers: Callers) -> None:
    email = (await callers.user()).email
    app.state.keys = Keys.derive(FIRST)
    tokens = (await log_in(callers.client, email)).json()
    app.state.keys = Keys.derive(SECOND)
    assert error_of(await get_me(callers.client, tokens))["code"] == "INVALID_TOKEN"
    assert error_of(await refresh(callers.client, tokens["refresh_token"]))["code"] == "INVALID_REFRESH_TOKEN"
