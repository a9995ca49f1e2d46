import asyncio
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiosmtplib import SMTPDataError
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, text
from uuid_utils.compat import uuid7

from glasswork.core.attempts import backoff
from glasswork.core.db import Database
from glasswork.core.events import InstallationEvent
from glasswork.core.jobs import EventRef, Work
from glasswork.core.mail import KeptMail, Mailer
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.features.credentials.models import OneTimeToken
from glasswork.features.credentials.service import VerificationService
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.work import make_work
from tests.smtp import Sink, listening, url

from .letters import expire

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


async def issue(caller: Caller, database: Database, app: FastAPI) -> str:
    async with database.transaction() as session:
        issued = await VerificationService(session, app.state.keys).issue(caller.id, uuid7())
    assert issued is not None
    return issued[1]


async def verify(client: AsyncClient, token: object) -> Response:
    return await client.post("/api/v1/auth/verify-email", json={"token": token})


def refusal(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


REFUSED = (400, "INVALID_ONE_TIME_TOKEN")


class TestVerifyEmail:
    @pytest.mark.parametrize("token", [None, "", 7, "a" * 257])
    async def test_refuses_what_is_no_token(self, client: AsyncClient, token: object) -> None:
        assert refusal(await verify(client, token)) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("token", ["a", "a" * 256, "ä\0"])
    async def test_refuses_an_unknown_token(self, client: AsyncClient, token: str) -> None:
        assert refusal(await verify(client, token)) == REFUSED

    async def test_refuses_what_is_not_even_text(self, client: AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        body = r'{"token": "\ud800"}'
        answer = await client.post("/api/v1/auth/verify-email", content=body, headers=headers)
        assert refusal(answer) == REFUSED

    @pytest.mark.alone
    async def test_refuses_an_expired_token(self, callers: Callers, database: Database, app: FastAPI) -> None:
        ada = await callers.user()
        token = await issue(ada, database, app)
        assert await expire(database) == timedelta(days=3)
        assert refusal(await verify(callers.client, token)) == REFUSED
        assert (await ada.get("/users/me")).json()["email_verified_at"] is None

    async def test_refuses_the_second_use(self, callers: Callers, database: Database, app: FastAPI) -> None:
        ada = await callers.user()
        token = await issue(ada, database, app)
        assert (await verify(callers.client, token)).status_code == 204
        verified = (await ada.get("/users/me")).json()
        assert refusal(await verify(callers.client, token)) == REFUSED
        assert (await ada.get("/users/me")).json() == verified

    async def test_confirms_the_address_of_the_one_it_was_sent_to(
        self, callers: Callers, database: Database, app: FastAPI
    ) -> None:
        ada, bob = await callers.user(), await callers.user()
        before = (await ada.get("/users/me")).json()
        answer = await verify(callers.client, await issue(ada, database, app))
        assert (answer.status_code, answer.content) == (204, b"")
        after = (await ada.get("/users/me")).json()
        assert after["email_verified_at"] is not None
        assert after["version"] == before["version"] + 1
        assert (await bob.get("/users/me")).json()["email_verified_at"] is None

    async def test_is_told_as_an_event(self, callers: Callers, database: Database, app: FastAPI) -> None:
        ada = await callers.user()
        before = (await ada.get("/users/me")).json()
        await verify(callers.client, await issue(ada, database, app))
        after = (await ada.get("/users/me")).json()
        (event,) = await events_of(database, ada)
        assert (event.type, event.actor_id) == ("user.updated", None)
        assert event.after == {name: after[name] for name in event.after}
        assert event.before == {name: before[name] for name in event.after}
        assert {"email_verified_at", "version"} <= set(event.after)

    async def test_of_two_at_once_one_goes_through(
        self, committing_callers: Callers, committing_app: FastAPI
    ) -> None:
        database = committing_callers.database
        ada = await committing_callers.user()
        token = await issue(ada, database, committing_app)
        answers = await asyncio.gather(*(verify(committing_callers.client, token) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400]
        assert (await ada.get("/users/me")).json()["version"] == 2
        assert len(await events_of(database, ada)) == 1


class TestWelcome:
    @pytest.fixture
    def work(self, app: FastAPI, database: Database) -> Work:
        return make_work(app, database, 7)

    @pytest.mark.alone
    async def test_registration_orders_it(self, client: AsyncClient, database: Database) -> None:
        registered = await register(client)
        async with database.reading() as session:
            jobs = (await session.execute(text("SELECT entrypoint, payload FROM jobs.pgqueuer"))).all()
            event = (await session.scalars(select(InstallationEvent))).one()
        assert [job.entrypoint for job in jobs] == [SEND_WELCOME.name]
        payload = EventRef.model_validate_json(jobs[0].payload)
        assert (payload.id, str(payload.subject_id)) == (event.id, registered["id"])

    @pytest.mark.alone
    async def test_its_token_confirms_the_address(
        self, client: AsyncClient, database: Database, work: Work
    ) -> None:
        registered = await register(client)
        await SEND_WELCOME.run(work, await event_of(database))
        (mail,) = await kept(database)
        assert (mail.recipient, mail.subject) == (registered["email"], "Welcome to Glasswork")
        assert "Hello Ada," in mail.body
        assert "https://example.com/api/v1/auth/verify-email" in mail.body
        token = mail.body.split("\n\n")[2]
        assert (await verify(client, token)).status_code == 204

    @pytest.mark.alone
    async def test_a_retry_sends_the_same_token_and_lengthens_nothing(
        self, client: AsyncClient, database: Database, work: Work
    ) -> None:
        await register(client)
        event = await event_of(database)
        bodies, stored = set(), set()
        for number in (1, 2):
            await SEND_WELCOME.run(Work(number, work.resources, work.once), event)
            bodies |= {mail.body for mail in await kept(database)}
            async with database.reading() as session:
                rows = (await session.scalars(select(OneTimeToken))).all()
            stored |= {(row.token_hash, row.expires_at) for row in rows}
        assert len(bodies) == len(stored) == 1

    @pytest.mark.alone
    async def test_a_retry_sends_the_same_message_id_the_event_s(
        self, client: AsyncClient, database: Database, work: Work
    ) -> None:
        await register(client)
        event = await event_of(database)
        sink = Sink(refusals=1)
        with socket.create_server(("127.0.0.1", 0)) as address:
            resources = replace(work.resources, mailer=Mailer(url(address), "robot@example.org"))
            work = Work(work.id, resources, work.once)
            async with listening(sink, address):
                with pytest.raises(SMTPDataError):
                    await SEND_WELCOME.run(work, event)
                await SEND_WELCOME.run(work, event)
        ids = [message["Message-ID"] for message in sink.refused + sink.accepted]
        assert ids == [f"<{event.id}@example.org>"] * 2

    @pytest.mark.alone
    async def test_the_token_itself_is_not_stored(
        self, client: AsyncClient, database: Database, work: Work
    ) -> None:
        await register(client)
        await SEND_WELCOME.run(work, await event_of(database))
        token = (await kept(database))[0].body.split("\n\n")[2]
        async with database.reading() as session:
            assert await session.scalar(select(OneTimeToken.token_hash)) != token

    def test_it_is_tried_for_about_a_day(self) -> None:
        longest = [max(backoff(SEND_WELCOME.first_delay, n) for _ in range(99)) for n in range(25)]
        assert SEND_WELCOME.max_attempts == len(longest) + 1
        assert DAY * 0.8 < sum(longest) / 2 < DAY * 1.2


async def register(client: AsyncClient) -> dict[str, Any]:
    body = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
    registered: dict[str, Any] = (await client.post("/api/v1/auth/register", json=body)).json()
    return registered


async def event_of(database: Database) -> EventRef:
    async with database.reading() as session:
        event = (await session.scalars(select(InstallationEvent))).one()
    return EventRef(id=event.id, workspace_id=None, subject_id=event.subject_id)


async def events_of(database: Database, caller: Caller) -> list[Any]:
    async with database.reading() as session:
        found = select(InstallationEvent).where(InstallationEvent.subject_id == caller.id)
        return list((await session.scalars(found)).all())


async def kept(database: Database) -> list[KeptMail]:
    async with database.reading() as session:
        return list((await session.scalars(select(KeptMail))).all())
