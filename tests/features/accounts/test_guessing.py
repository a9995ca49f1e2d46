"""How often passwords are guessed, and accounts opened, until that has to wait."""

import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import text, update

from glasswork.core.db import Database
from glasswork.features.accounts.models import User
from tests.conftest import make_client
from tests.factories.callers import Callers
from tests.factories.guesses import wait
from tests.scrapes import total
from tests.statements import statements

from .sign_in import error_of, log_in, register

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("limited")]

WRONG = "another otter 78"
FREE = 5
STRANGER = "192.0.2.99"


def outcome(answer: Response) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("Retry-After")


async def guess(client: AsyncClient, login: str, times: int) -> list[int]:
    return [(await log_in(client, login, WRONG)).status_code for _ in range(times)]


class TestOneAddressAtOneAccount:
    async def test_after_a_few_each_guess_has_to_wait(self, callers: Callers) -> None:
        ada = await callers.user()
        statuses = await guess(callers.client, ada.email, 30)
        assert statuses == [401] * (FREE + 1) + [429] * (30 - FREE - 1)
        refused = await log_in(callers.client, ada.email)
        assert outcome(refused) == (429, "1")
        assert error_of(refused)["code"] == "RATE_LIMITED"

    async def test_while_it_waits_no_password_is_looked_at(
        self, callers: Callers, database: Database
    ) -> None:
        ada = await callers.user()
        with statements(database) as sent:
            await guess(callers.client, ada.email, 1)
        assert any("FROM users" in statement for statement in sent)
        await guess(callers.client, ada.email, FREE)
        with statements(database) as sent:
            assert outcome(await log_in(callers.client, ada.email)) == (429, "1")
        assert not any("FROM users" in statement for statement in sent)

    async def test_the_delay_grows_to_a_minute(self, callers: Callers, database: Database) -> None:
        ada = await callers.user()
        await guess(callers.client, ada.email, FREE)
        delays = []
        for _ in range(9):
            assert await guess(callers.client, ada.email, 2) == [401, 429]
            refused = await log_in(callers.client, ada.email, WRONG)
            delays.append(int(refused.headers["Retry-After"]))
            await wait(database, seconds=delays[-1])
        assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]

    async def test_no_sooner_than_it_says(self, callers: Callers, database: Database) -> None:
        ada = await callers.user()
        await guess(callers.client, ada.email, FREE + 1)
        await wait(database, seconds=0.9)
        assert (await log_in(callers.client, ada.email)).status_code == 429
        await wait(database, seconds=0.1)
        assert (await log_in(callers.client, ada.email)).status_code == 200

    async def test_who_was_right_begins_anew(self, callers: Callers, database: Database) -> None:
        ada = await callers.user()
        await guess(callers.client, ada.email, FREE + 1)
        await wait(database, seconds=1)
        assert (await log_in(callers.client, ada.email)).status_code == 200
        assert await guess(callers.client, ada.email, FREE + 2) == [401] * (FREE + 1) + [429]

    async def test_within_an_hour_all_is_forgotten(self, callers: Callers, database: Database) -> None:
        ada = await callers.user()
        await guess(callers.client, ada.email, FREE)
        await wait(database, seconds=3600)
        assert await guess(callers.client, ada.email, FREE + 2) == [401] * (FREE + 1) + [429]

    async def test_even_the_most_stubborn_are_forgiven_within_hours(
        self, callers: Callers, database: Database
    ) -> None:
        ada = await callers.user()
        for _ in range(40):
            await guess(callers.client, ada.email, 1)
            await wait(database, seconds=60)
        await wait(database, seconds=2 * 3600)
        assert await guess(callers.client, ada.email, 2) == [401, 401]

    async def test_who_is_right_can_log_in_again_and_again(self, callers: Callers) -> None:
        ada = await callers.user()
        statuses = [(await log_in(callers.client, ada.email)).status_code for _ in range(2 * FREE)]
        assert statuses == [200] * (2 * FREE)

    async def test_what_is_no_guess_does_not_count(self, callers: Callers) -> None:
        ada = await callers.user()
        for login in ("", "a\0da"):
            statuses = [(await log_in(callers.client, login)).status_code for _ in range(2 * FREE)]
            assert statuses == [422] * (2 * FREE)
        assert (await log_in(callers.client, ada.email)).status_code == 200

    async def test_upper_case_makes_no_other_account(self, callers: Callers) -> None:
        ada = await callers.user()
        await guess(callers.client, ada.email, FREE)
        assert await guess(callers.client, ada.email.upper(), 2) == [401, 429]

    async def test_another_account_does_not_wait(self, callers: Callers) -> None:
        ada, bob = await callers.user(), await callers.user()
        await guess(callers.client, ada.email, FREE + 2)
        assert (await log_in(callers.client, bob.email)).status_code == 200

    async def test_a_header_gives_no_other_address(self, callers: Callers) -> None:
        ada = await callers.user()
        form = {"username": ada.email, "password": WRONG}
        statuses = [
            (
                await callers.client.post(
                    "/api/v1/auth/token", data=form, headers={"X-Forwarded-For": f"192.0.2.{number}"}
                )
            ).status_code
            for number in range(FREE + 2)
        ]
        assert statuses == [401] * (FREE + 1) + [429]


class TestManyAddressesAtOneAccount:
    async def test_strangers_wait_and_the_owner_does_not(
        self, app: FastAPI, callers: Callers, database: Database
    ) -> None:
        ada, bob = await callers.user(), await callers.user()
        assert (await log_in(callers.client, ada.email)).status_code == 200
        for number in range(21):
            async with make_client(app, f"192.0.2.{number}") as attacker:
                assert await guess(attacker, ada.email, 1) == [401]
        async with make_client(app, STRANGER) as stranger:
            assert outcome(await log_in(stranger, ada.email)) == (429, "1")
            assert (await log_in(stranger, bob.email)).status_code == 200
        assert (await log_in(callers.client, ada.email)).status_code == 200
        async with make_client(app, STRANGER) as stranger:
            assert outcome(await log_in(stranger, ada.email)) == (429, "1")
            await wait(database, seconds=1)
            assert (await log_in(stranger, ada.email)).status_code == 200

    async def test_the_owners_address_has_its_own_limit(self, app: FastAPI, callers: Callers) -> None:
        ada = await callers.user()
        await log_in(callers.client, ada.email)
        assert await guess(callers.client, ada.email, FREE + 2) == [401] * (FREE + 1) + [429]
        async with make_client(app, STRANGER) as stranger:
            assert (await log_in(stranger, ada.email)).status_code == 200

    @pytest.mark.parametrize(("days", "status"), [(29.9, 200), (30.1, 429)])
    async def test_an_address_is_known_for_a_month(
        self, app: FastAPI, callers: Callers, database: Database, days: float, status: int
    ) -> None:
        ada = await callers.user()
        await log_in(callers.client, ada.email)
        await wait(database, days=days)
        for number in range(21):
            async with make_client(app, f"192.0.2.{number}") as attacker:
                await guess(attacker, ada.email, 1)
        assert (await log_in(callers.client, ada.email)).status_code == status


class TestOneAddressAtManyAccounts:
    async def test_has_to_wait_although_it_is_right_now_and_then(
        self, app: FastAPI, callers: Callers
    ) -> None:
        own = await callers.user()
        for number in range(51):
            if number % 10 == 0:
                assert (await log_in(callers.client, own.email)).status_code == 200
            assert await guess(callers.client, f"somebody{number}", 1) == [401]
        assert outcome(await log_in(callers.client, own.email)) == (429, "1")
        async with make_client(app, STRANGER) as other:
            assert (await log_in(other, own.email)).status_code == 200

    async def test_is_not_pardoned_for_being_right_about_its_own(
        self, callers: Callers, database: Database
    ) -> None:
        own = await callers.user()
        for number in range(51):
            await guess(callers.client, f"somebody{number}", 1)
        for seconds in (1, 2, 4):
            assert outcome(await log_in(callers.client, own.email)) == (429, str(seconds))
            await wait(database, seconds=seconds)
            assert (await log_in(callers.client, own.email)).status_code == 200
            assert await guess(callers.client, "somebody", 1) == [401]
            await wait(database, seconds=0.1)


class TestNobodyLearnsWhoHasAnAccount:
    async def test_an_unknown_login_waits_like_a_known_one(
        self, callers: Callers, database: Database
    ) -> None:
        known, gone = await callers.user(), await callers.user()
        async with database.transaction() as session:
            await session.execute(update(User).where(User.id == gone.id).values(is_active=False))

        async def tries(login: str) -> list[tuple[int, str | None]]:
            return [outcome(await log_in(callers.client, login, WRONG)) for _ in range(FREE + 3)]

        assert await tries(known.email) == await tries(gone.email) == await tries("nobody@example.com")


class TestManyAtOnce:
    @pytest.fixture
    def committing_app(self, own_app: FastAPI) -> FastAPI:
        own_app.state.settings = own_app.state.settings.model_copy(update={"rate_limit_enabled": True})
        return own_app

    async def test_each_guess_counts(self, committing_callers: Callers) -> None:
        ada = await committing_callers.user()
        answers = await asyncio.gather(
            *(log_in(committing_callers.client, ada.email, WRONG) for _ in range(20))
        )
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {401, 429}
        async with committing_callers.database.reading() as session:
            wrong = await session.scalars(text("SELECT wrong FROM guess_counts"))
        assert [round(each) for each in wrong] == [statuses.count(401)] * 3


class TestRegistration:
    async def test_so_many_an_hour_from_one_address(
        self, app: FastAPI, client: AsyncClient, database: Database, change_settings: Callable[..., None]
    ) -> None:
        change_settings(rate_limit_enabled=True, rate_limit_registrations=2)

        async def sign_up(client: AsyncClient, name: str) -> tuple[int, str | None]:
            return outcome(await register(client, username=name, email=f"{name}@example.com"))

        assert [await sign_up(client, name) for name in ("ada", "ada", "bob", "eve")] == [
            (201, None),
            (409, None),
            (201, None),
            (429, "1800"),
        ]
        async with make_client(app, STRANGER) as other:
            assert await sign_up(other, "eve") == (201, None)
        await wait(database, seconds=1800)
        assert [await sign_up(client, name) for name in ("joe", "pat")] == [(201, None), (429, "1800")]

    async def test_what_is_not_valid_does_not_count(
        self, client: AsyncClient, change_settings: Callable[..., None]
    ) -> None:
        change_settings(rate_limit_enabled=True, rate_limit_registrations=1)
        statuses = [
            (await register(client, password=password)).status_code for password in ("x", "password2026") * 3
        ]
        assert statuses == [422] * 6
        assert (await register(client)).status_code == 201


async def test_it_can_be_switched_off(callers: Callers, change_settings: Callable[..., None]) -> None:
    change_settings(rate_limit_enabled=False)
    assert await guess(callers.client, (await callers.user()).email, 2 * FREE) == [401] * (2 * FREE)


async def test_refusals_are_counted_by_the_limit(app: FastAPI, callers: Callers) -> None:
    def refused(whose: str) -> float:
        return total(
            app.state.signals.metrics.expose("")[0].decode(), "glasswork_guesses_refused_total", whose=whose
        )

    before = {whose: refused(whose) for whose in ("account", "address", "pair")}
    await guess(callers.client, (await callers.user()).email, FREE + 3)
    assert {whose: refused(whose) - before[whose] for whose in before} == {
        "account": 0,
        "address": 0,
        "pair": 2,
    }


async def test_what_is_kept_names_nobody(callers: Callers, database: Database) -> None:
    ada = await callers.user()
    await guess(callers.client, ada.email, 1)
    await log_in(callers.client, ada.email)
    async with database.reading() as session:
        kept = (await session.scalars(text("SELECT row_to_json(guess_counts)::text FROM guess_counts"))).all()
    assert len(kept) == 3
    assert not any(word in row for row in kept for word in (ada.email, ada.username, "127.0.0.1"))
