"""A webhook that takes nothing is switched off, those who own it are told, and it is caught up later."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.delivering.service import Courier
from glasswork.features.webhooks.service import OwnerLookup
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_task, make_workspace
from tests.factories.webhooks import SPAN, age, deliver, hasten, make_webhook
from tests.factories.work import work_off
from tests.receivers import Received, Receiver, refuse, take

from .log import log_of, outcomes

pytestmark = pytest.mark.anyio


async def state_of(admin: Caller, webhook: dict[str, Any]) -> tuple[bool, str | None]:
    shown = (await admin.get(f"/webhooks/{webhook['id']}")).json()
    assert (shown["disabled_at"] is None) == shown["is_enabled"]
    return shown["is_enabled"], shown["disabled_reason"]


async def letters(app: FastAPI) -> list[Any]:
    await work_off(app, app.state.database)
    async with app.state.database.reading() as session:
        rows = await session.execute(text("SELECT recipient, subject, body FROM kept_mails"))
        return [row for row in rows if "webhook" in row.subject]


async def tire(courier: Courier, database: Database) -> None:
    """Try what is pending to its end."""
    await deliver(courier)
    await age(database, SPAN)
    await deliver(courier)


class TestSwitchingOff:
    async def test_happens_when_a_delivery_is_dead_and_nothing_else_got_through(
        self,
        committing_app: FastAPI,
        callers: Callers,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
    ) -> None:
        maker = await callers.member(workspace["id"], Role.ADMIN)
        await callers.member(workspace["id"], Role.ADMIN)
        await make_workspace(maker)
        webhook = await make_webhook(maker, workspace, receiver.url, events=["task.created"])
        receiver.behave = refuse()
        for _ in range(3):
            await make_task(owner, project)
        await tire(courier, database)
        assert await state_of(owner, webhook) == (False, "failing")
        assert {each["status"] for each in await log_of(owner, webhook)} == {"dead"}
        async with database.reading() as session:
            owners = await OwnerLookup(session).owners(UUID(webhook["id"]))
        assert sorted(owners) == sorted([owner.id, maker.id])
        told = await letters(committing_app)
        assert {each.recipient for each in told} == {owner.email, maker.email}
        assert all(receiver.url in each.body and webhook["id"] in each.body for each in told)
        changes = (await owner.get(f"/workspaces/{workspace['id']}/changes", limit=100)).json()["items"]
        assert [
            each["after"]["disabled_reason"] for each in changes if each["type"] == "webhook.updated"
        ] == ["failing"]
        sent = receiver.connections
        await make_task(owner, project)
        await deliver(courier)
        assert receiver.connections == sent

    async def test_does_not_happen_for_one_message_that_is_not_taken(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
        committing_app: FastAPI,
    ) -> None:
        async def moody(received: Received, writer: Any) -> None:
            is_bad = received.data["after"]["title"] == "bad"
            await (refuse() if is_bad else take)(received, writer)

        receiver.behave = moody
        await make_task(owner, project, title="bad")
        await deliver(courier)
        await age(database, SPAN)
        await make_task(owner, project, title="good")
        async with database.system_transaction() as session:
            later = text("UPDATE deliveries SET next_attempt_at = now() + interval '1 hour'")
            await session.execute(later)
        await deliver(courier)
        await hasten(database)
        await deliver(courier)
        assert [each["status"] for each in await log_of(owner, webhook)] == ["dead", "delivered"]
        assert await state_of(owner, webhook) == (True, None)
        assert await letters(committing_app) == []

    async def test_happens_at_once_when_the_receiver_is_gone(
        self,
        committing_app: FastAPI,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
    ) -> None:
        receiver.behave = refuse("410 Gone")
        await make_task(owner, project)
        await deliver(courier)
        assert await state_of(owner, webhook) == (False, "gone")
        (letter,) = await letters(committing_app)
        assert "410" in letter.body

    @pytest.mark.parametrize("why", ["has left", "is no admin", "is shut off"])
    async def test_whoever_made_it_is_not_told_who(
        self,
        committing_app: FastAPI,
        callers: Callers,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
        why: str,
    ) -> None:
        maker = await callers.member(workspace["id"], Role.ADMIN)
        membership = f"/workspaces/{workspace['id']}/members/{maker.id}"
        await make_workspace(maker)
        webhook = await make_webhook(maker, workspace, receiver.url, events=["task.created"])
        match why:
            case "has left":
                assert (await owner.delete(membership)).status_code == 204
            case "is no admin":
                assert (await owner.patch(membership, {"role": "member"})).status_code == 200
            case "is shut off":
                async with database.system_transaction() as session:
                    shut = text("UPDATE users SET is_active = false WHERE id = :id")
                    await session.execute(shut, {"id": maker.id})
        receiver.behave = refuse("410 Gone")
        await make_task(owner, project)
        await deliver(courier)
        assert await state_of(owner, webhook) == (False, "gone")
        assert [each.recipient for each in await letters(committing_app)] == [owner.email]

    @pytest.mark.parametrize("since_then", ["it is on again", "it is deleted", "the workspace is deleted"])
    async def test_nobody_is_told_when(
        self,
        committing_app: FastAPI,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        since_then: str,
    ) -> None:
        receiver.behave = refuse("410 Gone")
        await make_task(owner, project)
        await deliver(courier)
        assert await state_of(owner, webhook) == (False, "gone")
        changes: dict[str, Callable[[], Awaitable[Response]]] = {
            "it is on again": lambda: owner.patch(f"/webhooks/{webhook['id']}", {"is_enabled": True}),
            "it is deleted": lambda: owner.delete(f"/webhooks/{webhook['id']}"),
            "the workspace is deleted": lambda: owner.delete(f"/workspaces/{workspace['id']}"),
        }
        assert (await changes[since_then]()).is_success
        assert await letters(committing_app) == []

    @pytest.mark.parametrize("what", ["webhook", "project"])
    async def test_does_not_happen_to_what_is_deleted_meanwhile(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        what: str,
    ) -> None:
        options = {"project_id": project["id"], "events": ["task.created"]}
        webhook = await make_webhook(owner, workspace, receiver.url, **options)

        async def delete(received: Received, writer: Any) -> None:
            path = f"/webhooks/{webhook['id']}" if what == "webhook" else f"/projects/{project['id']}"
            assert (await owner.delete(path)).status_code == 204
            await refuse("410 Gone")(received, writer)

        receiver.behave = delete
        await make_task(owner, project)
        await deliver(courier)
        changes = (await owner.get(f"/workspaces/{workspace['id']}/changes", limit=100)).json()["items"]
        assert changes[-1]["type"] == f"{what}.deleted"

    async def test_by_hand_gives_up_what_waits_and_tells_nobody(
        self,
        committing_app: FastAPI,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
    ) -> None:
        receiver.behave = refuse()
        await make_task(owner, project)
        await deliver(courier)
        assert (await owner.patch(f"/webhooks/{webhook['id']}", {"is_enabled": False})).status_code == 200
        assert await state_of(owner, webhook) == (False, "asked")
        await hasten(database)
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["status"], outcomes(delivery)) == ("dead", ["failed"])
        assert await letters(committing_app) == []

    async def test_gives_up_nothing_else(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
    ) -> None:
        other = await make_webhook(owner, workspace, receiver.url, events=["task.created"])
        await make_task(owner, project)
        await deliver(courier)
        receiver.behave = refuse()
        await make_task(owner, project)
        await deliver(courier)
        await owner.patch(f"/webhooks/{webhook['id']}", {"is_enabled": False})
        await hasten(database)
        await deliver(courier)
        assert [each["status"] for each in await log_of(owner, webhook)] == ["delivered", "dead"]
        assert [each["status"] for each in await log_of(owner, other)] == ["delivered", "pending"]


class TestSwitchingOn:
    async def test_what_was_missed_comes_when_it_is_asked_for(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
    ) -> None:
        taken = await make_task(owner, project)
        await deliver(courier)
        receiver.behave = refuse()
        failed = await make_task(owner, project)
        await tire(courier, database)
        missed = await make_task(owner, project)
        dead = receiver.ids[-1]
        receiver.behave, receiver.received = take, []
        path = f"/webhooks/{webhook['id']}"
        refusal = await owner.post(f"{path}/redeliveries", {"since": taken["created_at"]})
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "WEBHOOK_DISABLED")
        assert (await owner.patch(path, {"is_enabled": True})).status_code == 200
        assert await state_of(owner, webhook) == (True, None)
        new = await make_task(owner, project)
        await deliver(courier)
        assert [each.data["subject"]["id"] for each in receiver.received] == [new["id"]]

        answer = await owner.post(f"{path}/redeliveries", {"since": taken["created_at"]})
        assert answer.status_code == 202
        assert answer.json()["first_seq"] <= answer.json()["last_seq"]
        await deliver(courier)
        again = receiver.received[1:]
        assert {each.data["subject"]["id"]: each.id for each in again}.keys() == {failed["id"], missed["id"]}
        assert dead in [each.id for each in again]
        log = await log_of(owner, webhook)
        assert {each["status"] for each in log} == {"delivered"}
        assert len(log) == 4

    async def test_all_of_it_comes_once_more_when_that_is_asked_for(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
    ) -> None:
        tasks = [await make_task(owner, project) for _ in range(3)]
        await deliver(courier)
        (first_id,) = (each.id for each in receiver.received if each.data["subject"]["id"] == tasks[0]["id"])
        since = {"since": tasks[1]["created_at"]}
        path = f"/webhooks/{webhook['id']}/redeliveries"
        await owner.post(path, since)
        await deliver(courier)
        assert len(receiver.received) == 3
        await owner.post(path, since | {"delivered_too": True})
        await deliver(courier)
        assert set(receiver.ids[3:]) == set(receiver.ids) - {first_id}
        future = await owner.post(path, {"since": "2100-01-01T00:00:00Z", "delivered_too": True})
        assert (future.json()["first_seq"], future.json()["last_seq"]) == (None, None)
        await deliver(courier)
        assert len(receiver.received) == 5


class TestOne:
    async def test_delivery_is_sent_once_more_with_its_id(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
    ) -> None:
        await make_task(owner, project)
        await deliver(courier)
        path = f"/deliveries/{receiver.ids[0]}/redelivery"
        answer = await owner.post(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        await deliver(courier)
        assert receiver.ids == receiver.ids[:1] * 2
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["status"], outcomes(delivery)) == ("delivered", ["delivered"] * 2)
        await owner.patch(f"/webhooks/{webhook['id']}", {"is_enabled": False})
        refusal = await owner.post(path)
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "WEBHOOK_DISABLED")


class TestPing:
    async def test_is_sent_once_and_also_to_one_that_is_off(
        self,
        owner: Caller,
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
    ) -> None:
        path = f"/webhooks/{webhook['id']}"
        await owner.patch(path, {"is_enabled": False})
        answer = await owner.post(f"{path}/pings")
        assert (answer.status_code, answer.json()["status"]) == (201, "pending")
        await deliver(courier)
        (received,) = receiver.received
        received.verify(webhook["secret"])
        assert received.message == {
            "type": "webhook.ping",
            "timestamp": answer.json()["created_at"],
            "data": {"workspace_id": webhook["workspace_id"], "webhook_id": webhook["id"]},
        }
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["id"], delivery["status"], delivery["seq"]) == (received.id, "delivered", None)
        assert delivery["body"].encode() == received.body

    async def test_that_fails_is_dead_and_harms_nothing(
        self,
        owner: Caller,
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
    ) -> None:
        receiver.behave = refuse()
        await owner.post(f"/webhooks/{webhook['id']}/pings")
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert (delivery["status"], outcomes(delivery)) == ("dead", ["failed"])
        assert await state_of(owner, webhook) == (True, None)
