"""Changes reach who is to be told of them, and nobody else."""

from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks.webhooks import WebhookVerificationError

from glasswork.core.db import Database
from glasswork.core.tokens import Keys
from glasswork.features.delivering.service import Courier
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_comment, make_project, make_task, make_workspace
from tests.factories.webhooks import deliver, make_webhook
from tests.receivers import Receiver

from .log import log_of

pytestmark = pytest.mark.anyio


async def changes_of(member: Caller, workspace: dict[str, Any], kind: str) -> list[Any]:
    feed = (await member.get(f"/workspaces/{workspace['id']}/changes", limit=100)).json()
    return [each for each in feed["items"] if each["type"].startswith(f"{kind}.")]


def types(receiver: Receiver) -> list[str]:
    """In the order of the changes, whatever overtook what."""
    return [each.message["type"] for each in sorted(receiver.received, key=lambda each: each.data["seq"])]


class TestMessage:
    async def test_is_the_change_as_the_feed_shows_it_and_signed(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        webhook = await make_webhook(owner, workspace, receiver.url, events=["task.*"])
        task = await make_task(owner, project, title="Größe")
        await owner.patch(f"/tasks/{task['id']}", {"priority": "high"}, X_Request_ID="request-0001")
        await deliver(courier)
        assert types(receiver) == ["task.created", "task.updated"]
        told = await changes_of(owner, workspace, "task")
        receiver.received.sort(key=lambda each: each.data["seq"])
        assert [each.data for each in receiver.received] == [
            {"workspace_id": workspace["id"], **change} for change in told
        ]
        assert receiver.received[1].headers["x-request-id"] == "request-0001"
        for received in receiver.received:
            received.verify(webhook["secret"])
            with pytest.raises(WebhookVerificationError):
                received.verify("whsec_" + "A" * 44)
        log = await log_of(owner, webhook)
        assert [each["id"] for each in log] == receiver.ids
        assert [each["body"].encode() for each in log] == [each.body for each in receiver.received]
        assert {each["status"] for each in log} == {"delivered"}
        (attempt,) = log[0]["log"]
        assert (attempt["outcome"], attempt["status"], attempt["answer"]) == ("delivered", 200, "{}")
        assert attempt["headers"]["webhook-signature"] == receiver.received[0].headers["webhook-signature"]

    async def test_two_secrets_sign_while_one_replaces_the_other(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        database: Database,
    ) -> None:
        webhook = await make_webhook(owner, workspace, receiver.url, events=["task.created"])
        path = f"/webhooks/{webhook['id']}/secret"
        secret = (await owner.post(path, {"previous_valid_hours": 1})).json()["secret"]
        await make_task(owner, project)
        await deliver(courier)
        receiver.received[0].verify(secret, webhook["secret"])
        async with database.system_transaction() as session:
            await session.execute(text("UPDATE webhooks SET previous_until = now()"))
        await make_task(owner, project)
        await deliver(courier)
        receiver.received[1].verify(secret)
        with pytest.raises(WebhookVerificationError):
            receiver.received[1].verify(webhook["secret"])

    async def test_a_secret_that_cannot_be_read_any_more_is_told(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        webhook = await make_webhook(owner, workspace, receiver.url, events=["task.created"])
        await make_task(owner, project)
        monkeypatch.setattr(courier._sending, "_keys", Keys.derive("another secret"))  # noqa: SLF001
        await deliver(courier)
        (delivery,) = await log_of(owner, webhook)
        assert "JWT_SECRET" in delivery["log"][0]["error"]
        assert receiver.connections == 0


class TestWhatIsSent:
    async def test_is_what_was_chosen(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        await make_webhook(owner, workspace, receiver.url, events=["comment.*", "task.updated"])
        task = await make_task(owner, project)
        await make_comment(owner, task)
        await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
        await owner.patch(f"/projects/{project['id']}", {"name": "Another"})
        await deliver(courier)
        assert types(receiver) == ["comment.created", "task.updated"]

    async def test_is_everything_by_default_from_then_on(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        await make_task(owner, project)
        await make_webhook(owner, workspace, receiver.url)
        await make_task(owner, project)
        await deliver(courier)
        assert types(receiver) == ["webhook.created", "task.created"]

    async def test_is_of_the_project_alone(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        other = await make_project(owner, workspace)
        await make_webhook(owner, workspace, receiver.url, project_id=project["id"])
        mine, others = await make_task(owner, project), await make_task(owner, other)
        for task in (others, mine):
            comment = await make_comment(owner, task)
            await owner.patch(f"/comments/{comment['id']}", {"body": "Edited"})
        await owner.patch(f"/tasks/{mine['id']}", {"title": "Still here"})
        await owner.post(f"/tasks/{mine['id']}/move", {"project_id": other["id"]})
        await owner.patch(f"/tasks/{mine['id']}", {"title": "Gone from here"})
        await owner.patch(f"/projects/{project['id']}", {"name": "Another"})
        await deliver(courier)
        assert types(receiver) == [
            *("webhook.created", "task.created", "comment.created", "comment.updated"),
            *("task.updated", "task.updated", "project.updated"),
        ]
        assert mine["id"] in [each.data["subject"]["id"] for each in receiver.received]
        assert others["id"] not in [each.data["subject"]["id"] for each in receiver.received]

    async def test_is_nothing_of_another_workspace(
        self,
        callers: Callers,
        owner: Caller,
        workspace: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        await make_webhook(owner, workspace, receiver.url, events=["task.created", "project.created"])
        stranger = await callers.user()
        theirs = await make_project(stranger, await make_workspace(stranger))
        await make_task(stranger, theirs)
        await make_project(owner, workspace)
        await deliver(courier)
        assert [each.data["workspace_id"] for each in receiver.received] == [workspace["id"]]

    @pytest.mark.parametrize("end", ["webhook", "project", "workspace"])
    async def test_is_nothing_once_it_is_gone(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
        end: str,
    ) -> None:
        webhook = await make_webhook(owner, workspace, receiver.url, project_id=project["id"])
        await make_task(owner, project)
        gone = {"webhook": webhook, "project": project, "workspace": workspace}[end]
        assert (await owner.delete(f"/{end}s/{gone['id']}")).status_code == 204
        await deliver(courier)
        assert receiver.connections == 0

    async def test_reaches_all_who_want_it(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        webhooks = [
            await make_webhook(owner, workspace, receiver.url, events=["task.created"]) for _ in range(3)
        ]
        await make_task(owner, project)
        await deliver(courier)
        assert len(set(receiver.ids)) == 3
        for webhook in webhooks:
            (delivery,) = await log_of(owner, webhook)
            received = receiver.received[receiver.ids.index(delivery["id"])]
            received.verify(webhook["secret"])


class TestOrder:
    async def test_is_kept_where_that_is_asked_for(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        courier: Courier,
        receiver: Receiver,
    ) -> None:
        await make_webhook(owner, workspace, receiver.url, events=["task.created"], is_ordered=True)
        for _ in range(12):
            await make_task(owner, project)
        await deliver(courier)
        assert receiver.seqs == sorted(receiver.seqs)
        assert len(receiver.seqs) == 12
