"""To turn the second factor on and off, and what its owner is told."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import select, text, update
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.events import Event, InstallationEvent
from glasswork.features.accounts.models import SystemRole, User
from glasswork.features.second_factors.events import (
    RecoveryCodesRenewed,
    RecoveryCodeUsed,
    TotpDisabled,
    TotpEnabled,
)
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.features.accounts.sign_in import error_of
from tests.features.credentials.letters import Postman

from .authenticator import Authenticator, begin, log_in_with, turn_on

pytestmark = pytest.mark.anyio

OFF = {"enabled": False, "confirmed_at": None, "recovery_codes_left": 0}


@pytest.fixture
async def ada(callers: Callers) -> Caller:
    return await callers.user()


async def events(database: Database) -> list[str]:
    async with database.reading() as session:
        return list(await session.scalars(select(InstallationEvent.type).order_by(InstallationEvent.id)))


class TestBegin:
    async def test_needs_the_password(self, ada: Caller) -> None:
        answer = await ada.post("/auth/totp", {"password": "another otter 78"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_PASSWORD")
        assert (await ada.post("/auth/totp/confirm", {"code": "123456"})).status_code == 404

    async def test_is_refused_when_one_is_on(self, ada: Caller, database: Database) -> None:
        app = await turn_on(ada, database)
        answer = await ada.post("/auth/totp", {"password": PASSWORD})
        assert (answer.status_code, error_of(answer)["code"]) == (409, "TOTP_ENABLED")
        assert (await log_in_with(ada.client, ada.email, await app.code())).status_code == 200

    @pytest.mark.alone
    async def test_gives_the_secret_which_is_kept_sealed(self, ada: Caller, database: Database) -> None:
        answer = await ada.post("/auth/totp", {"password": PASSWORD})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        assert answer.headers["Location"] == "/api/v1/auth/totp"
        secret = answer.json()["secret"]
        assert re.fullmatch("[A-Z2-7]{32}", secret)
        assert f"secret={secret}" in answer.json()["uri"]
        async with database.reading() as session:
            kept = (
                await session.scalars(text("SELECT to_jsonb(totp_secrets)::text FROM totp_secrets"))
            ).one()
        assert secret not in kept

    async def test_what_has_begun_is_not_on(self, ada: Caller, database: Database) -> None:
        app = await begin(ada, database)
        assert (await ada.get("/auth/totp")).json() == OFF
        assert (await log_in_with(ada.client, ada.email, None)).status_code == 200
        assert (await ada.delete("/auth/totp")).status_code == 404
        assert (await ada.post("/auth/totp/confirm", {"code": await app.code()})).status_code == 200

    async def test_a_second_beginning_takes_the_place_of_the_first(
        self, ada: Caller, database: Database
    ) -> None:
        first, second = await begin(ada, database), await begin(ada, database)
        assert (await ada.post("/auth/totp/confirm", {"code": await first.code()})).status_code == 403
        assert (await ada.post("/auth/totp/confirm", {"code": await second.code()})).status_code == 200


class TestConfirm:
    async def test_needs_a_beginning_of_ones_own(
        self, ada: Caller, callers: Callers, database: Database
    ) -> None:
        code = await (await begin(await callers.user(), database)).code()
        answer = await ada.post("/auth/totp/confirm", {"code": code})
        assert (answer.status_code, error_of(answer)["code"]) == (404, "TOTP_NOT_FOUND")

    @pytest.mark.parametrize("later", [-2, 2])
    async def test_needs_a_code_of_now(self, ada: Caller, database: Database, later: int) -> None:
        app = await begin(ada, database)
        answer = await ada.post("/auth/totp/confirm", {"code": await app.code(later)})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_CODE")
        assert (await ada.get("/auth/totp")).json() == OFF

    @pytest.mark.parametrize("code", ["", "1" * 65, 123456, None])
    async def test_refuses_what_is_no_code(self, ada: Caller, database: Database, code: Any) -> None:
        await begin(ada, database)
        assert (await ada.post("/auth/totp/confirm", {"code": code})).status_code == 422

    async def test_is_done_once(self, ada: Caller, database: Database) -> None:
        app = await turn_on(ada, database)
        answer = await ada.post("/auth/totp/confirm", {"code": await app.code()})
        assert (answer.status_code, error_of(answer)["code"]) == (409, "TOTP_ENABLED")

    @pytest.mark.parametrize("later", [-1, 0, 1])
    async def test_turns_it_on_and_shows_the_recovery_codes(
        self, ada: Caller, database: Database, later: int
    ) -> None:
        app = await begin(ada, database)
        answer = await ada.post("/auth/totp/confirm", {"code": await app.code(later)})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        codes = answer.json()["recovery_codes"]
        assert len(set(codes)) == 10
        assert all(re.fullmatch("([0-9a-hjkmnp-tv-z]{5}-){2}[0-9a-hjkmnp-tv-z]{5}", code) for code in codes)
        status = (await ada.get("/auth/totp")).json()
        assert (status["enabled"], status["recovery_codes_left"]) == (True, 10)
        assert status["confirmed_at"] is not None
        async with database.reading() as session:
            kept = str((await session.execute(text("SELECT * FROM recovery_codes"))).all())
        assert not any(code in kept or code.replace("-", "") in kept for code in codes)

    async def test_the_code_that_confirmed_logs_nobody_in(self, ada: Caller, database: Database) -> None:
        app = await turn_on(ada, database)
        assert (await log_in_with(ada.client, ada.email, await app.code(-1))).status_code == 401
        assert (await log_in_with(ada.client, ada.email, await app.code())).status_code == 200


class TestRecoveryCodes:
    async def test_there_are_none_without_a_second_factor(self, ada: Caller, database: Database) -> None:
        await begin(ada, database)
        answer = await ada.post("/auth/totp/recovery-codes")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "TOTP_NOT_FOUND")

    async def test_those_of_others_are_not_counted(
        self, ada: Caller, callers: Callers, database: Database
    ) -> None:
        for each in (ada, await callers.user()):
            await turn_on(each, database)
        assert (await ada.get("/auth/totp")).json()["recovery_codes_left"] == 10

    async def test_new_ones_take_the_place_of_the_old(self, ada: Caller, database: Database) -> None:
        app = await turn_on(ada, database)
        answer = await ada.post("/auth/totp/recovery-codes")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        new = answer.json()["recovery_codes"]
        assert len({*new, *app.recovery_codes}) == 20
        assert (await log_in_with(ada.client, ada.email, app.recovery_codes[0])).status_code == 401
        assert (await log_in_with(ada.client, ada.email, new[0])).status_code == 200
        assert (await ada.get("/auth/totp")).json()["recovery_codes_left"] == 9


class TestTakingOff:
    async def test_the_owner_may(self, ada: Caller, database: Database) -> None:
        app = await turn_on(ada, database)
        assert (await ada.delete("/auth/totp")).status_code == 204
        assert (await ada.get("/auth/totp")).json() == OFF
        assert (await log_in_with(ada.client, ada.email, None)).status_code == 200
        assert (await ada.delete("/auth/totp")).status_code == 404
        again = await turn_on(ada, database)
        assert (await log_in_with(ada.client, ada.email, app.recovery_codes[0])).status_code == 401
        assert (await log_in_with(ada.client, ada.email, again.recovery_codes[0])).status_code == 200

    async def test_of_others_only_an_admin_may(
        self, ada: Caller, callers: Callers, database: Database
    ) -> None:
        await turn_on(ada, database)
        path = f"/users/{ada.id}/totp"
        assert (await ada.delete(path)).status_code == 403
        assert (await (await callers.user()).delete(path)).status_code == 403
        assert (await ada.get("/auth/totp")).json()["enabled"]
        admin = await callers.user(SystemRole.ADMIN)
        assert (await admin.delete(path)).status_code == 204
        assert (await log_in_with(ada.client, ada.email, None)).status_code == 200
        async with database.reading() as session:
            newest = select(InstallationEvent).order_by(InstallationEvent.id.desc()).limit(1)
            event = (await session.scalars(newest)).one()
        assert (event.type, event.subject_id, event.actor_id) == ("user.totp_disabled", ada.id, admin.id)

    async def test_there_is_nothing_to_take_off(self, ada: Caller, callers: Callers) -> None:
        admin = await callers.user(SystemRole.ADMIN)
        assert error_of(await admin.delete(f"/users/{ada.id}/totp"))["code"] == "TOTP_NOT_FOUND"
        assert error_of(await admin.delete(f"/users/{uuid7()}/totp"))["code"] == "USER_NOT_FOUND"


class TestMail:
    @pytest.fixture
    async def app_of_ada(self, ada: Caller, database: Database) -> Authenticator:
        return await turn_on(ada, database)

    @pytest.mark.alone
    @pytest.mark.parametrize(
        ("event", "subject"),
        [
            (TotpEnabled, "Your second factor is on"),
            (RecoveryCodesRenewed, "You have new recovery codes"),
            (RecoveryCodeUsed, "A recovery code of yours was used"),
            (TotpDisabled, "Your second factor was taken off"),
        ],
    )
    async def test_the_owner_is_told_and_no_event_holds_a_secret(
        self,
        app: FastAPI,
        ada: Caller,
        database: Database,
        app_of_ada: Authenticator,
        event: type[Event],
        subject: str,
    ) -> None:
        await log_in_with(ada.client, ada.email, app_of_ada.recovery_codes[0])
        await ada.post("/auth/totp/recovery-codes")
        await ada.delete("/auth/totp")
        assert await events(database) == [
            *("user.totp_enabled", "user.recovery_code_used"),
            *("user.recovery_codes_renewed", "user.totp_disabled"),
        ]
        letter = await Postman(app, database).deliver(event)
        assert letter is not None
        assert (letter.recipient, letter.subject) == (ada.email, subject)
        assert "https://example.com/api/v1/auth/" in letter.body
        async with database.reading() as session:
            told = (await session.scalars(select(InstallationEvent))).all()
        assert {(each.subject_id, each.before, each.after) for each in told} == {(ada.id, None, None)}

    async def test_how_many_codes_are_left_is_told_of_ones_own(
        self,
        app: FastAPI,
        ada: Caller,
        callers: Callers,
        database: Database,
        app_of_ada: Authenticator,
    ) -> None:
        await turn_on(await callers.user(), database)
        await log_in_with(ada.client, ada.email, app_of_ada.recovery_codes[0])
        letter = await Postman(app, database).deliver(RecoveryCodeUsed)
        assert letter is not None
        assert "Codes that are left: 9." in letter.body

    async def test_who_was_shut_off_is_not_written_to(
        self, app: FastAPI, ada: Caller, database: Database, app_of_ada: Authenticator
    ) -> None:
        assert app_of_ada.recovery_codes
        async with database.transaction() as session:
            await session.execute(update(User).where(User.id == ada.id).values(is_active=False))
        assert await Postman(app, database).deliver(TotpEnabled) is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/totp", None),
        ("POST", "/auth/totp", {"password": PASSWORD}),
        ("POST", "/auth/totp/confirm", {"code": "123456"}),
        ("POST", "/auth/totp/recovery-codes", None),
        ("DELETE", "/auth/totp", None),
        ("DELETE", "/users/01a22267-0000-7000-8000-000000000000/totp", None),
        ("POST", "/auth/reauthenticate", {"password": PASSWORD}),
    ],
)
async def test_only_for_who_is_logged_in(
    client: AsyncClient, callers: Callers, method: str, path: str, body: Any
) -> None:
    admin = await callers.user(SystemRole.ADMIN)
    stranger = await client.request(method, f"/api/v1{path}", json=body)
    assert (stranger.status_code, error_of(stranger)["code"]) == (401, "INVALID_TOKEN")
    assert (await admin.request(method, path, json=body)).status_code in {200, 201, 204, 404}
    await admin.post("/auth/logout")
    ended = await admin.request(method, path, json=body)
    assert (ended.status_code, error_of(ended)["code"]) == (401, "SESSION_ENDED")
