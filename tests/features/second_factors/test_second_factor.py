"""To log in with a code: of the app, or a recovery code, at once or in two steps."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from passlib.context import CryptContext
from sqlalchemy import select, text, update

from glasswork.core import sealing
from glasswork.core.db import Database
from glasswork.core.tokens import Keys
from glasswork.features.accounts.models import User
from glasswork.features.seals import service
from glasswork.features.second_factors import policy
from tests.conftest import SECRET
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.features.accounts.sign_in import error_of, get_me
from tests.features.workspaces.waiting import start

from .authenticator import Authenticator, answer_with, challenge_of, log_in_with, turn_on

pytestmark = pytest.mark.anyio

NEW = "nimble beaver 4711"


@pytest.fixture
async def ada(callers: Callers) -> Caller:
    return await callers.user()


@pytest.fixture
async def phone(ada: Caller, database: Database) -> Authenticator:
    return await turn_on(ada, database)


class TestCode:
    """Of the form of /auth/token."""

    async def test_without_one_there_is_a_challenge(self, ada: Caller, phone: Authenticator) -> None:
        answer = await log_in_with(ada.client, ada.email, None)
        error = error_of(answer)
        assert (answer.status_code, error["code"]) == (401, "SECOND_FACTOR_REQUIRED")
        assert error["details"].keys() == {"challenge", "expires_in"}
        assert error["details"]["challenge"].startswith("gwc_")
        assert error["details"]["expires_in"] == 300
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 200

    async def test_a_wrong_password_is_not_told_of_it(self, ada: Caller, phone: Authenticator) -> None:
        for code in (None, await phone.code()):
            answer = await log_in_with(ada.client, ada.email, code, "another otter 78")
            assert (answer.status_code, error_of(answer)["code"]) == (401, "INVALID_CREDENTIALS")
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 200

    @pytest.mark.parametrize("later", [-2, 2])
    async def test_of_another_time_is_refused(self, ada: Caller, phone: Authenticator, later: int) -> None:
        answer = await log_in_with(ada.client, ada.email, await phone.code(later))
        assert (answer.status_code, error_of(answer)["code"]) == (401, "INVALID_SECOND_FACTOR")

    @pytest.mark.parametrize("later", [0, 1])
    async def test_of_now_is_good_once(self, ada: Caller, phone: Authenticator, later: int) -> None:
        code = await phone.code(later)
        tokens = (await log_in_with(ada.client, ada.email, code)).json()
        assert (await get_me(ada.client, tokens)).json()["id"] == str(ada.id)
        again = await log_in_with(ada.client, ada.email, code)
        assert (again.status_code, error_of(again)["code"]) == (401, "INVALID_SECOND_FACTOR")

    async def test_older_than_the_last_one_is_refused(self, ada: Caller, phone: Authenticator) -> None:
        assert (await log_in_with(ada.client, ada.email, await phone.code(1))).status_code == 200
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 401

    @pytest.mark.parametrize("code", ["0", "abcdef", "é" * 6, "١٢٣٤٥٦", " ", "-", "gwc_x"])
    async def test_anything_else_is_refused(self, ada: Caller, phone: Authenticator, code: str) -> None:
        assert (await log_in_with(ada.client, ada.email, code)).status_code == 401
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 200

    async def test_may_be_typed_with_spaces(self, ada: Caller, phone: Authenticator) -> None:
        code = await phone.code()
        spaced = await log_in_with(ada.client, ada.email, f" {code[:3]} {code[3:]} ")
        assert spaced.status_code == 200

    async def test_of_somebody_else_is_refused(
        self, ada: Caller, phone: Authenticator, callers: Callers, database: Database
    ) -> None:
        bob = await callers.user()
        other = await turn_on(bob, database)
        assert (await log_in_with(ada.client, ada.email, await other.code())).status_code == 401
        assert (await log_in_with(ada.client, ada.email, other.recovery_codes[0])).status_code == 401
        assert (await log_in_with(bob.client, bob.email, await other.code())).status_code == 200
        assert (await log_in_with(ada.client, ada.email, phone.recovery_codes[0])).status_code == 200

    async def test_does_not_matter_to_who_has_none(self, ada: Caller) -> None:
        assert (await log_in_with(ada.client, ada.email, "123456")).status_code == 200

    async def test_of_two_callers_with_one_code_one_goes_through(self, committing_callers: Callers) -> None:
        ada = await committing_callers.user()
        phone = await turn_on(ada, committing_callers.database)
        for code in (await phone.code(), phone.recovery_codes[0]):
            answers = await asyncio.gather(*(log_in_with(ada.client, ada.email, code) for _ in range(4)))
            assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


class TestRecoveryCode:
    async def test_is_good_once(self, ada: Caller, phone: Authenticator) -> None:
        first, second = phone.recovery_codes[:2]
        assert (await log_in_with(ada.client, ada.email, first)).status_code == 200
        again = await log_in_with(ada.client, ada.email, first)
        assert (again.status_code, error_of(again)["code"]) == (401, "INVALID_SECOND_FACTOR")
        assert (await ada.get("/auth/totp")).json()["recovery_codes_left"] == 9
        typed = second.replace("-", " ").upper()
        assert (await answer_with(ada.client, await challenge_of(ada), typed)).status_code == 200
        assert (await ada.get("/auth/totp")).json()["recovery_codes_left"] == 8


class TestGuessing:
    async def test_pauses_after_five_wrong_codes(
        self, ada: Caller, phone: Authenticator, database: Database
    ) -> None:
        challenge = await challenge_of(ada)
        for _ in range(5):
            answer = await answer_with(ada.client, challenge, await phone.wrong_code())
            assert (answer.status_code, error_of(answer)["code"]) == (401, "INVALID_SECOND_FACTOR")
        for code in (await phone.code(), phone.recovery_codes[0]):
            for paused in (
                await answer_with(ada.client, challenge, code),
                await log_in_with(ada.client, ada.email, code),
                await ada.post("/auth/reauthenticate", {"password": PASSWORD, "code": code}),
            ):
                assert (paused.status_code, error_of(paused)["code"]) == (429, "RATE_LIMITED")
                assert paused.headers["Retry-After"] == "300"
        await self.wait(database, "5 minutes")
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 429
        await self.wait(database, "1 second")
        assert (await answer_with(ada.client, challenge, await phone.code())).status_code == 200

    @pytest.mark.parametrize("door", ["token", "reauthenticate"])
    async def test_counts_them_at_every_door(self, ada: Caller, phone: Authenticator, door: str) -> None:
        for _ in range(5):
            code = await phone.wrong_code()
            if door == "token":
                await log_in_with(ada.client, ada.email, code)
            else:
                await ada.post("/auth/reauthenticate", {"password": PASSWORD, "code": code})
        challenge = await challenge_of(ada)
        assert (await answer_with(ada.client, challenge, await phone.code())).status_code == 429

    async def test_what_was_never_a_guess_is_not_counted(self, ada: Caller, phone: Authenticator) -> None:
        for _ in range(6):
            await challenge_of(ada)
            await ada.post("/auth/reauthenticate", {"password": PASSWORD})
            await log_in_with(ada.client, ada.email, await phone.code(), "another otter 78")
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 200

    async def test_a_pause_is_one_users_own(
        self, ada: Caller, phone: Authenticator, callers: Callers, database: Database
    ) -> None:
        bob = await callers.user()
        other = await turn_on(bob, database)
        for _ in range(5):
            await log_in_with(ada.client, ada.email, await phone.wrong_code())
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 429
        assert (await log_in_with(bob.client, bob.email, await other.code())).status_code == 200
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 429

    async def test_after_a_pause_five_are_free_again(
        self, ada: Caller, phone: Authenticator, database: Database
    ) -> None:
        for _ in range(5):
            await log_in_with(ada.client, ada.email, await phone.wrong_code())
        await self.wait(database, "5 minutes 1 second")
        for _ in range(5):
            assert (await log_in_with(ada.client, ada.email, await phone.wrong_code())).status_code == 401
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 429

    @pytest.mark.parametrize("kind", ["code", "recovery code"])
    async def test_a_right_code_forgets_the_wrong_ones(
        self, ada: Caller, phone: Authenticator, callers: Callers, database: Database, kind: str
    ) -> None:
        bob = await callers.user()
        other = await turn_on(bob, database)
        for _ in range(5):
            await log_in_with(bob.client, bob.email, await other.wrong_code())
        right = await phone.code() if kind == "code" else phone.recovery_codes[0]
        for _ in range(4):
            await log_in_with(ada.client, ada.email, await phone.wrong_code())
        assert (await log_in_with(ada.client, ada.email, right)).status_code == 200
        for _ in range(5):
            assert (await log_in_with(ada.client, ada.email, await phone.wrong_code())).status_code == 401
        assert (await log_in_with(bob.client, bob.email, await other.code())).status_code == 429

    @staticmethod
    async def wait(database: Database, time: str) -> None:
        statement = text(
            "UPDATE totp_secrets SET attempted_at = attempted_at - CAST(:time AS text)::interval"
        )
        async with database.transaction() as session:
            await session.execute(statement, {"time": time})


class TestChallenge:
    async def test_of_somebody_else_takes_their_code_only(
        self, ada: Caller, phone: Authenticator, callers: Callers, database: Database
    ) -> None:
        bob = await callers.user()
        other = await turn_on(bob, database)
        challenge = await challenge_of(bob)
        refused = await answer_with(ada.client, challenge, await phone.code())
        assert (refused.status_code, error_of(refused)["code"]) == (401, "INVALID_SECOND_FACTOR")
        tokens = (await answer_with(ada.client, challenge, await other.code())).json()
        assert (await get_me(ada.client, tokens)).json()["id"] == str(bob.id)

    async def test_ends_with_the_password(self, ada: Caller, phone: Authenticator) -> None:
        old = await challenge_of(ada)
        body = {"password": PASSWORD, "new_password": NEW}
        assert (await ada.post("/auth/change-password", body)).status_code == 204
        refused = await answer_with(ada.client, old, await phone.code())
        assert (refused.status_code, error_of(refused)["code"]) == (401, "INVALID_CHALLENGE")
        new = await challenge_of(ada, NEW)
        assert (await answer_with(ada.client, new, await phone.code())).status_code == 200

    async def test_ends_with_the_password_that_is_changed_meanwhile(
        self, committing_callers: Callers
    ) -> None:
        ada, database = await committing_callers.user(), committing_callers.database
        phone = await turn_on(ada, database)
        challenge, code = await challenge_of(ada), await phone.code()
        async with database.transaction() as session:
            changed = update(User).where(User.id == ada.id).values(password_hash="another")
            await session.execute(changed)
            answer = await start(database, answer_with(ada.client, challenge, code))
        refused = await answer
        assert (refused.status_code, error_of(refused)["code"]) == (401, "INVALID_CHALLENGE")

    async def test_stays_when_the_password_is_hashed_anew(
        self, ada: Caller, phone: Authenticator, database: Database
    ) -> None:
        cheap = CryptContext(["argon2"], argon2__time_cost=1, argon2__memory_cost=64).hash(PASSWORD)
        async with database.transaction() as session:
            await session.execute(update(User).where(User.id == ada.id).values(password_hash=cheap))
        challenge = await challenge_of(ada)
        assert (await answer_with(ada.client, challenge, await phone.code())).status_code == 200
        async with database.reading() as session:
            kept = (await session.scalars(select(User.password_hash).where(User.id == ada.id))).one()
        assert "m=19456" in (kept or "")

    async def test_ends_with_the_account(self, ada: Caller, phone: Authenticator, database: Database) -> None:
        challenge = await challenge_of(ada)
        await set_active(database, ada, is_active=False)
        refused = await answer_with(ada.client, challenge, await phone.code())
        assert (refused.status_code, error_of(refused)["code"]) == (401, "INVALID_CHALLENGE")
        await set_active(database, ada, is_active=True)
        assert (await answer_with(ada.client, challenge, await phone.code())).status_code == 200

    async def test_ends_after_five_minutes(
        self, ada: Caller, phone: Authenticator, database: Database
    ) -> None:
        async with database.reading() as session:
            user = await session.get_one(User, ada.id)
        old, young = (issue(user, seconds_ago=age) for age in (302, 290))
        refused = await answer_with(ada.client, old, await phone.code())
        assert (refused.status_code, error_of(refused)["code"]) == (401, "INVALID_CHALLENGE")
        assert (await answer_with(ada.client, young, await phone.code())).status_code == 200

    async def test_is_of_no_use_without_its_second_factor(self, ada: Caller, phone: Authenticator) -> None:
        challenge = await challenge_of(ada)
        code = await phone.code()
        assert (await ada.delete("/auth/totp")).status_code == 204
        assert error_of(await answer_with(ada.client, challenge, code))["code"] == "INVALID_SECOND_FACTOR"
        assert (await log_in_with(ada.client, ada.email, None)).status_code == 200

    async def test_anything_else_is_refused(self, ada: Caller, phone: Authenticator) -> None:
        good = await challenge_of(ada)
        sealed = sealing.seal(Keys.derive(SECRET), f"totp of {ada.id}", ada.id.bytes + b"-" * 32).decode()
        others = (
            "x",
            "gwc_",
            "gwc_é",
            f"gwc_{sealed}",
            good[4:],
            f"gwc_{good}",
            good[:-9],
            f"gwk_{good[4:]}",
        )
        for challenge in others:
            refused = await answer_with(ada.client, challenge, await phone.code())
            assert (refused.status_code, error_of(refused)["code"]) == (401, "INVALID_CHALLENGE"), challenge
        assert (await answer_with(ada.client, good, await phone.code())).status_code == 200

    async def test_is_on_no_page(self, app: FastAPI, ada: Caller, phone: Authenticator) -> None:
        challenge = await challenge_of(ada)
        assert (await answer_with(ada.client, challenge, await phone.wrong_code())).status_code == 401
        recorder = app.state.signals.recorder
        told = str([record.ended.error for record in recorder.recent])
        assert "SECOND_FACTOR_REQUIRED" in told
        assert "INVALID_SECOND_FACTOR" in told
        for piece in (challenge, challenge[-20:]):
            assert piece not in str([*recorder.recent, *recorder.failed])


class TestChangeOfSecret:
    """JWT_SECRET is another one, and the one before is accepted still."""

    @pytest.fixture(autouse=True)
    def _same_keys_afterwards(self, app: FastAPI) -> Iterator[None]:
        keys = app.state.keys
        yield
        app.state.keys = keys

    async def test_codes_and_challenges_are_good_still(
        self, app: FastAPI, ada: Caller, phone: Authenticator
    ) -> None:
        challenge = await challenge_of(ada)
        app.state.keys = Keys.derive("new" * 11, SECRET)
        assert (await answer_with(ada.client, challenge, await phone.code())).status_code == 200

    async def test_once_sealed_anew_codes_need_the_old_one_no_more(
        self,
        app: FastAPI,
        ada: Caller,
        phone: Authenticator,
        callers: Callers,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "BATCH", 1)
        bob = await callers.user()
        other = await turn_on(bob, database)
        app.state.keys = new = Keys.derive("new" * 11)
        await renew_seals(database, new)
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 401
        assert (await log_in_with(ada.client, ada.email, phone.recovery_codes[0])).status_code == 200
        await renew_seals(database, Keys.derive("new" * 11, SECRET))
        assert (await log_in_with(ada.client, ada.email, await phone.code())).status_code == 200
        assert (await log_in_with(bob.client, bob.email, await other.code())).status_code == 200

    async def test_a_secret_opens_in_its_own_row_only(
        self, ada: Caller, phone: Authenticator, callers: Callers, database: Database
    ) -> None:
        bob = await callers.user()
        other = await turn_on(bob, database)
        copied = text(
            "UPDATE totp_secrets SET secret = (SELECT secret FROM totp_secrets WHERE user_id = :bob)"
            " WHERE user_id = :ada"
        )
        async with database.transaction() as session:
            await session.execute(copied, {"bob": bob.id, "ada": ada.id})
        assert (await log_in_with(ada.client, ada.email, await other.code())).status_code == 401
        assert (await log_in_with(bob.client, bob.email, await other.code())).status_code == 200
        assert (await log_in_with(ada.client, ada.email, phone.recovery_codes[0])).status_code == 200


def issue(user: User, seconds_ago: int) -> str:
    """A challenge as it was made then."""
    keys = Keys.derive(SECRET)
    value = policy.new_challenge(keys, user)
    opened = sealing.unseal(keys, "second-factor challenge", value[4:].encode())
    then = int(datetime.now(UTC).timestamp()) - seconds_ago
    box = Fernet(urlsafe_b64encode(keys.sealing("second-factor challenge")))
    return f"gwc_{box.encrypt_at_time(opened, then).decode()}"


async def renew_seals(database: Database, keys: Keys) -> None:
    await service.SealService(database, keys).renew()


async def set_active(database: Database, user: Caller, *, is_active: bool) -> None:
    async with database.transaction() as session:
        await session.execute(update(User).where(User.id == user.id).values(is_active=is_active))
