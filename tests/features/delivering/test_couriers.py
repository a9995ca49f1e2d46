"""Several couriers, and those who die or lose their way to the database."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.features.delivering.service import Courier
from tests.factories.callers import Caller
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.factories.webhooks import deliver, make_webhook, open_courier
from tests.receivers import Received, Receiver, hang, take

from .log import log_of, outcomes

pytestmark = pytest.mark.anyio

PATIENCE = 20


async def expire(database: Database) -> None:
    async with database.system_transaction() as session:
        await session.execute(text("UPDATE webhook_progress SET leased_until = now() - interval '1 second'"))


async def received(receiver: Receiver, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(receiver.received) < number:
            await asyncio.sleep(0.005)


async def test_of_two_one_has_a_webhook(
    committing_app: FastAPI,
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
) -> None:
    for _ in range(20):
        await make_task(owner, project)
    async with open_courier(committing_app) as other:
        assert sorted(await asyncio.gather(courier.look(), other.look())) == [0, 1]
        await courier.rest()
        await other.rest()
    assert len(receiver.ids) == len(set(receiver.ids)) == 20
    assert {each["status"] for each in await log_of(owner, webhook)} == {"delivered"}


@pytest.mark.parametrize(("gone", "taken"), [(None, 1), ("webhooks", 0), ("projects", 0), ("workspaces", 0)])
async def test_nobody_has_what_is_gone(
    owner: Caller,
    workspace: dict[str, Any],
    project: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
    gone: str | None,
    taken: int,
) -> None:
    webhook = await make_webhook(owner, workspace, receiver.url, project_id=project["id"])
    await make_task(owner, project)
    other = await make_project(owner, await make_workspace(owner))
    for _ in range(5):
        await make_task(owner, other)
    if gone is not None:
        ids = {"webhooks": webhook["id"], "projects": project["id"], "workspaces": workspace["id"]}
        assert (await owner.delete(f"/{gone}/{ids[gone]}")).status_code == 204
    assert await courier.look() == taken
    await courier.rest()
    assert bool(receiver.received) == bool(taken)
    assert await courier.look() == 0


async def test_what_one_had_that_died_another_one_sends(
    committing_app: FastAPI,
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
    database: Database,
) -> None:
    receiver.behave = hang
    await make_task(owner, project)
    await courier.look()
    await received(receiver, 1)
    for task in courier._working:  # noqa: SLF001 (as good as dead)
        task.cancel()
    receiver.behave = take
    async with open_courier(committing_app) as other:
        async with database.system_transaction() as session:  # it could not even give the lease back
            leased = "UPDATE webhook_progress SET lease_id = gen_random_uuid(), leased_until = now() + '30s'"
            await session.execute(text(leased))
        await courier.rest()
        assert await other.look() == 0
        await expire(database)
        await deliver(other)
    assert receiver.ids == receiver.ids[:1] * 2
    (delivery,) = await log_of(owner, webhook)
    assert (delivery["status"], outcomes(delivery)) == ("delivered", ["unknown", "delivered"])


async def test_who_was_taken_for_dead_spoils_nothing(
    committing_app: FastAPI,
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
    database: Database,
) -> None:
    answers = asyncio.Event()

    async def late(_: Received, __: Any) -> None:
        await answers.wait()
        raise OSError

    receiver.behave = late
    await make_task(owner, project)
    await courier.look()
    await received(receiver, 1)
    await expire(database)
    receiver.behave = take
    async with open_courier(committing_app) as other:
        await deliver(other)
    answers.set()
    await courier.rest()
    (delivery,) = await log_of(owner, webhook)
    assert (delivery["status"], outcomes(delivery)) == ("delivered", ["failed", "delivered"])
    assert await courier.look() == 0


async def test_finishes_what_is_under_way_when_it_ends(
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
) -> None:
    is_ending = asyncio.Event()

    async def wait(each: Received, writer: Any) -> None:
        await is_ending.wait()
        await take(each, writer)

    receiver.behave = wait
    await make_task(owner, project)
    async with courier.running(asyncio.Event(), 5):
        courier.wake()
        await received(receiver, 1)
        asyncio.get_running_loop().call_later(0.1, is_ending.set)
    (delivery,) = await log_of(owner, webhook)
    assert outcomes(delivery) == ["delivered"]


async def test_goes_on_when_the_database_is_back(
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone() -> Any:
        raise ServiceUnavailableError("The database does not answer.")

    await make_task(owner, project)
    with monkeypatch.context() as patch:
        patch.setattr(courier._database, "system_transaction", gone)  # noqa: SLF001
        async with courier.running(asyncio.Event(), 5):
            await asyncio.sleep(0.05)
            assert receiver.connections == 0
            patch.undo()
            await received(receiver, 1)
    (delivery,) = await log_of(owner, webhook)
    assert outcomes(delivery) == ["delivered"]


async def test_a_bug_in_one_is_tried_again_when_its_lease_has_run_out(
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: object) -> Any:
        raise RuntimeError

    await make_task(owner, project)
    with monkeypatch.context() as patch:
        patch.setattr(courier._sending, "send", fail)  # noqa: SLF001
        await deliver(courier)
    assert await courier.look() == 0
    await expire(database)
    await deliver(courier)
    (delivery,) = await log_of(owner, webhook)
    assert (delivery["status"], outcomes(delivery)) == ("delivered", ["unknown", "delivered"])
    assert len(receiver.received) == 1


async def test_one_that_takes_its_time_is_not_taken_for_dead(
    owner: Caller,
    project: dict[str, Any],
    webhook: dict[str, Any],
    receiver: Receiver,
    courier: Courier,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lease is prolonged while an attempt is under way, however long that takes."""
    is_prolonged = asyncio.Event()

    async def wait(each: Received, writer: Any) -> None:
        await is_prolonged.wait()
        await take(each, writer)

    async def leased_until() -> Any:
        async with database.reading() as session:
            return await session.scalar(text("SELECT leased_until FROM webhook_progress"))

    monkeypatch.setattr(courier, "_lease", timedelta(seconds=0.3))
    receiver.behave = wait
    await make_task(owner, project)
    async with courier.running(asyncio.Event(), 5):
        courier.wake()
        await received(receiver, 1)
        at_first = await leased_until()
        async with asyncio.timeout(PATIENCE):
            while await leased_until() <= at_first:
                await asyncio.sleep(0.005)
        is_prolonged.set()
    (delivery,) = await log_of(owner, webhook)
    assert outcomes(delivery) == ["delivered"]
