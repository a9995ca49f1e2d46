"""Receivers that do not take what they are sent."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core import addresses
from glasswork.core.db import Database
from glasswork.features.delivering.service import FAILING_FROM, Courier
from tests.core.outside import Outside, drip, hang_up, self_signed
from tests.core.test_addresses import PRIVATE
from tests.factories.callers import Caller
from tests.factories.tracker import make_task
from tests.factories.webhooks import SPAN, age, deliver, hasten, make_webhook, open_courier
from tests.receivers import Behave, Received, Receiver, hang, refuse, take

from .log import log_of, outcomes

pytestmark = pytest.mark.anyio

REDIRECT = refuse("302 Found", b"", "Location: http://169.254.169.254/")
NO_TIME = "There was no whole answer in time."
NO_CONNECTION = "There was no connection, or it broke off before the answer."


async def slow(_: Received, writer: asyncio.StreamWriter) -> None:
    await drip(writer)


async def abort(_: Received, writer: asyncio.StreamWriter) -> None:
    await hang_up(writer)


class TestAttempt:
    @pytest.mark.parametrize(
        ("behave", "error"),
        [
            (refuse(), "It answered 500."),
            (refuse("404 Not Found"), "It answered 404."),
            (
                refuse("302 Found", b"", "Location: http://169.254.169.254/"),
                "It answered 302; no redirect is followed.",
            ),
            (hang, NO_TIME),
            (slow, NO_TIME),
            (abort, NO_CONNECTION),
        ],
        ids=["500", "404", "redirect", "hangs", "slow", "aborts"],
    )
    async def test_that_fails_is_told_and_made_again(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
        behave: Behave,
        error: str,
    ) -> None:
        receiver.behave = behave
        await make_task(owner, project)
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["status"], delivery["attempts"]) == ("pending", 1)
        assert delivery["log"][0]["error"] == error
        assert delivery["next_attempt_at"] > delivery["log"][0]["started_at"]
        receiver.behave = take
        await deliver(courier)
        assert receiver.connections == 1  # it is not due yet
        await hasten(database)
        await deliver(courier)
        first, second = receiver.received
        assert (first.id, first.body) == (second.id, second.body)
        for each in receiver.received:
            each.verify(webhook["secret"])
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["status"], outcomes(delivery)) == ("delivered", ["failed", "delivered"])

    async def test_nobody_is_there(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], courier: Courier
    ) -> None:
        async with Receiver().listening() as gone:
            webhook = await make_webhook(owner, workspace, gone.url, events=["task.created"])
        await make_task(owner, project)
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert delivery["log"][0]["error"] == NO_CONNECTION

    async def test_the_certificate_is_nobodys(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        tmp_path: Path,
    ) -> None:
        async with Outside().listening(tls=self_signed(tmp_path, "localhost")) as other:
            url = f"https://localhost:{other.port}/"
            webhook = await make_webhook(owner, workspace, url, events=["task.created"])
            await make_task(owner, project)
            await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert "certificate" in delivery["log"][0]["error"]
        assert other.requests == []

    async def test_the_name_means_nobody(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        committing_app: FastAPI,
    ) -> None:
        async def resolve(_host: str, _port: int) -> Sequence[str]:
            raise socket.gaierror

        webhook = await make_webhook(owner, workspace, "http://nobody.example/", events=["task.created"])
        await make_task(owner, project)
        async with open_courier(committing_app, resolve=resolve) as courier:
            await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert delivery["log"][0]["error"] == "The name of the host has no address."

    async def test_the_log_keeps_the_beginning_of_any_answer(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        receiver.behave = refuse("400 Bad Request", b"\x00\xff" + b"x" * 100_000, "Set-Cookie: a=b")
        await make_task(owner, project)
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        attempt = delivery["log"][0]
        assert attempt["answer"] == "\ufffd\ufffd" + "x" * 998
        assert attempt["answer_headers"] == {"content-length": "100002"}

    @pytest.mark.usefixtures("webhook")
    async def test_the_receiver_may_ask_for_time(
        self,
        owner: Caller,
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
    ) -> None:
        receiver.behave = refuse("503 Service Unavailable", b"", "Retry-After: 3600")
        await make_task(owner, project)
        await deliver(courier)
        async with database.reading() as session:
            wait = text("SELECT extract(epoch FROM next_attempt_at - now())::float FROM deliveries")
            assert 3500 < (await session.scalars(wait)).one() <= 3600


class TestAddresses:
    async def test_nothing_reaches_a_private_one(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        committing_app: FastAPI,
        receiver: Receiver,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(addresses, "_PORTS", frozenset({receiver.port}))
        meanings = {f"innocent-{n}.example": address for n, address in enumerate(PRIVATE)}

        async def resolve(host: str, _port: int) -> Sequence[str]:
            return [meanings[host]]

        urls = [f"http://{name}:{receiver.port}/" for name in meanings]
        webhooks = [await make_webhook(owner, workspace, url, events=["task.created"]) for url in urls]
        await make_task(owner, project)
        async with open_courier(committing_app, allowed=(), resolve=resolve) as courier:
            await deliver(courier)
        for webhook, address in zip(webhooks, PRIVATE, strict=True):
            (delivery,) = await log_of(owner, webhook)
            assert "WEBHOOK_ALLOW_CIDRS" in delivery["log"][0]["error"], address
            assert delivery["log"][0]["status"] is None, address
        assert receiver.connections == 0

    async def test_a_name_that_changes_its_meaning_is_looked_at_each_time(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        committing_app: FastAPI,
        receiver: Receiver,
        database: Database,
    ) -> None:
        meanings = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]])

        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return next(meanings)

        receiver.behave = refuse()
        url = f"http://rebinding.example:{receiver.port}/"
        webhook = await make_webhook(owner, workspace, url, events=["task.created"])
        await make_task(owner, project)
        async with open_courier(committing_app, allowed=("127.0.0.1/32",), resolve=resolve) as courier:
            for _ in range(3):
                await deliver(courier)
                await hasten(database)
        (delivery,) = await log_of(owner, webhook)
        errors = [attempt["error"] for attempt in delivery["log"]]
        assert [errors[0], errors[2]] == ["It answered 500."] * 2
        assert "WEBHOOK_ALLOW_CIDRS" in errors[1]
        assert receiver.connections == 2


class TestOthers:
    async def test_are_not_held_up_by_one_that_hangs(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        webhook: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        receiver.behave = hang
        async with Receiver().listening() as good:
            await make_webhook(owner, workspace, good.url, events=["task.created"])
            await make_task(owner, project)
            await courier.look()
            async with asyncio.timeout(10):
                while not (good.received and receiver.received):
                    await asyncio.sleep(0.005)
            assert outcomes((await log_of(owner, webhook))[0]) == ["unknown"]
            await courier.rest()

    @pytest.mark.usefixtures("webhook")
    async def test_one_that_fails_is_tried_with_one_at_a_time(
        self,
        owner: Caller,
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
    ) -> None:
        open_at_once, most = 0, [0]

        async def count(_: Received, writer: asyncio.StreamWriter) -> None:
            nonlocal open_at_once
            open_at_once += 1
            most[-1] = max(most[-1], open_at_once)
            await asyncio.sleep(0.02)
            open_at_once -= 1
            await refuse()(_, writer)

        receiver.behave = count
        for _ in range(FAILING_FROM + 3):
            await make_task(owner, project)
        await deliver(courier)
        most.append(0)
        await hasten(database)
        await deliver(courier)
        assert most[0] > 1
        assert most[1] == 1

    async def test_an_ordered_one_waits_for_its_first(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
    ) -> None:
        await make_webhook(owner, workspace, receiver.url, events=["task.created"], is_ordered=True)
        await make_task(owner, project)
        await deliver(courier)  # what was taken holds up nothing
        receiver.behave = refuse()
        for _ in range(3):
            await make_task(owner, project)
        for _ in range(3):
            await deliver(courier)
            await hasten(database)
        assert len(set(receiver.ids)) == 2
        receiver.behave = take
        await deliver(courier)
        assert receiver.seqs[4:] == sorted(receiver.seqs[4:])
        assert len(set(receiver.ids)) == 4

    async def test_two_ordered_ones_have_a_first_each(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
    ) -> None:
        wanted = [["task.created"], ["task.updated"]]
        webhooks = [
            await make_webhook(owner, workspace, receiver.url, events=events, is_ordered=True)
            for events in wanted
        ]
        receiver.behave = refuse()
        task = await make_task(owner, project)
        await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
        await deliver(courier)
        receiver.behave = take
        await hasten(database)
        await deliver(courier)
        for webhook, events in zip(webhooks, wanted, strict=True):
            log = await log_of(owner, webhook)
            assert [(each["type"], each["status"], each["attempts"]) for each in log] == [
                (events[0], "delivered", 2)
            ]

    async def test_an_unordered_one_gets_what_it_takes(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        async def moody(received: Received, writer: asyncio.StreamWriter) -> None:
            is_bad = received.data["after"]["title"] == "bad"
            await (refuse() if is_bad else take)(received, writer)

        receiver.behave = moody
        for title in ("bad", "good", "better"):
            await make_task(owner, project, title=title)
        await deliver(courier)
        assert [each["status"] for each in await log_of(owner, webhook)] == [
            "pending",
            "delivered",
            "delivered",
        ]


class TestEnd:
    async def test_a_delivery_is_dead_after_its_time(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
    ) -> None:
        receiver.behave = refuse()
        await make_task(owner, project)
        await deliver(courier)
        await age(database, SPAN / 2)
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert delivery["status"] == "pending"
        await age(database, SPAN)
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["status"], delivery["next_attempt_at"]) == ("dead", None)
        assert delivery["finished_at"] is not None
        assert outcomes(delivery) == ["failed"] * 3
