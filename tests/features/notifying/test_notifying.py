"""From what happens to who is told of it, in the app and by mail."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from sqlalchemy import func, literal, select, text
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.jobs import EventRef, Nothing
from glasswork.core.mail import KeptMail
from glasswork.features.letters.jobs import ORDER_DAILY
from glasswork.features.letters.repository import last_morning
from glasswork.features.notifications.models import Kind, Notification
from glasswork.features.notifications.service import unsubscribe_url
from glasswork.features.notifying.jobs import NOTIFY, REMIND
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_comment, make_task, make_workspace
from tests.factories.work import make_work, work_off

pytestmark = pytest.mark.anyio

Task = dict[str, Any]
Told = Callable[[Caller], Awaitable[list[tuple[str, str | None]]]]


@pytest.fixture
async def bob(callers: Callers, workspace: dict[str, Any]) -> Caller:
    return await callers.member(workspace["id"])


@pytest.fixture
def told(app: FastAPI, database: Database) -> Told:
    """Says what somebody is told of, newest first: kind, and key of the task."""

    async def told(caller: Caller) -> list[tuple[str, str | None]]:
        await work_off(app, database)
        items = (await caller.get("/notifications")).json()["items"]
        return [(item["kind"], item["task"] and item["task"]["key"]) for item in items]

    return told


@pytest.fixture
def letters(app: FastAPI, database: Database) -> Callable[[Caller], Awaitable[list[KeptMail]]]:
    async def letters(caller: Caller) -> list[KeptMail]:
        await work_off(app, database)
        statement = select(KeptMail).where(KeptMail.recipient == caller.email).order_by(KeptMail.job_id)
        async with database.reading() as session:
            return list((await session.scalars(statement)).all())

    return letters


Letters = Callable[[Caller], Awaitable[list[KeptMail]]]


async def prefer(caller: Caller, kind: str, in_app: bool, mail: str, **where: str) -> None:
    preference = {"kind": kind, "in_app": in_app, "mail": mail, **where}
    answer = await caller.put("/notifications/preferences", {"time_zone": "UTC", "preferences": [preference]})
    assert answer.status_code == 200, answer.text


async def execute(database: Database, statement: str) -> None:
    async with database.system_transaction() as session:
        await session.execute(text(statement))


class TestNobodyIsTold:
    async def test_of_what_they_did_themselves(self, owner: Caller, task: Task, told: Told) -> None:
        await owner.put(f"/tasks/{task['id']}/watchers/{owner.id}")
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(owner.id), "title": "Another"})
        await make_comment(owner, task, body=f"I, @{owner.username}, am here")
        assert await told(owner) == []

    async def test_who_has_left_before(
        self, owner: Caller, bob: Caller, workspace: dict[str, Any], task: Task, told: Told, letters: Letters
    ) -> None:
        await make_workspace(bob)
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(bob.id)})
        await owner.delete(f"/workspaces/{workspace['id']}/members/{bob.id}")
        assert await told(bob) == []
        assert await letters(bob) == []
        back = {"email": bob.email, "role": "member"}
        invitation = (await owner.post(f"/workspaces/{workspace['id']}/invitations", back)).json()
        await bob.post("/invitations/accept", {"token": invitation["token"]})
        assert ("assigned", task["key"]) not in await told(bob)

    async def test_of_a_workspace_that_is_gone(
        self,
        owner: Caller,
        bob: Caller,
        workspace: dict[str, Any],
        task: Task,
        app: FastAPI,
        database: Database,
    ) -> None:
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(bob.id)})
        await owner.delete(f"/workspaces/{workspace['id']}")
        await work_off(app, database)
        async with database.reading() as session:
            kept = await session.scalars(select(Notification).where(Notification.user_id == bob.id))
            assert kept.all() == []

    async def test_what_they_may_no_longer_see(
        self, owner: Caller, bob: Caller, workspace: dict[str, Any], task: Task, told: Told
    ) -> None:
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(bob.id)})
        assert await told(bob) == [("assigned", task["key"])]
        await owner.delete(f"/tasks/{task['id']}")
        assert await told(bob) == []
        await owner.post(f"/tasks/{task['id']}/restore")
        assert await told(bob) == [("assigned", task["key"])]
        await owner.delete(f"/workspaces/{workspace['id']}/members/{bob.id}")
        assert await told(bob) == []
        assert (await bob.get("/notifications/counts")).json()["unread"] == 0

    async def test_of_order_and_of_reactions(
        self, owner: Caller, bob: Caller, project: dict[str, Any], task: Task, told: Told
    ) -> None:
        await owner.put(f"/tasks/{task['id']}/watchers/{bob.id}")
        other = await make_task(owner, project)
        await owner.put(f"/tasks/{task['id']}/position", {"after_id": other["id"]})
        comment = await make_comment(bob, task)
        await owner.put(f"/comments/{comment['id']}/reactions/heart")
        assert await told(bob) == []


class TestInTheApp:
    async def test_each_reason(
        self, owner: Caller, bob: Caller, project: dict[str, Any], task: Task, told: Told
    ) -> None:
        mine = await make_task(owner, project, assignee_id=str(bob.id))
        await owner.put(f"/tasks/{task['id']}/watchers/{bob.id}")
        await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
        first = await make_comment(bob, task)
        await make_comment(owner, task, reply_to_id=first["id"])
        await make_comment(owner, task, body=f"Look, @{bob.username}")
        assert await told(bob) == [
            ("mentioned", task["key"]),
            ("replied", task["key"]),
            ("watched", task["key"]),
            ("assigned", mine["key"]),
        ]
        assert await told(owner) == []

    async def test_a_second_mention_alone_is_news(
        self, owner: Caller, bob: Caller, callers: Callers, workspace: dict[str, Any], task: Task, told: Told
    ) -> None:
        carol = await callers.member(workspace["id"])
        comment = await make_comment(owner, task, body=f"@{bob.username}")
        body = {"body": f"@{bob.username} and @{carol.username}"}
        await owner.patch(f"/comments/{comment['id']}", body)
        assert await told(bob) == [("mentioned", task["key"])]
        assert await told(carol) == [("mentioned", task["key"])]

    async def test_an_event_that_is_followed_twice_is_told_once(
        self, app: FastAPI, database: Database, owner: Caller, bob: Caller, task: Task, told: Told
    ) -> None:
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(bob.id)})
        async with database.reading() as session:
            waiting = await session.execute(
                text("SELECT payload FROM jobs.pgqueuer ORDER BY id DESC LIMIT 1")
            )
        payload = waiting.scalar_one()
        for _ in range(2):
            await NOTIFY.run(make_work(app, database), EventRef.model_validate_json(payload))
        assert await told(bob) == [("assigned", task["key"])]

    async def test_an_invitation_to_who_has_an_account(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], told: Told
    ) -> None:
        carol = await callers.user()
        body = {"email": carol.email.upper(), "role": "viewer"}
        await owner.post(f"/workspaces/{workspace['id']}/invitations", body)
        assert await told(carol) == [("invited", None)]

    async def test_no_invitation_that_has_been_accepted(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], told: Told
    ) -> None:
        carol = await callers.user()
        body = {"email": carol.email, "role": "viewer"}
        invited = (await owner.post(f"/workspaces/{workspace['id']}/invitations", body)).json()
        await carol.post("/invitations/accept", {"token": invited["token"]})
        assert await told(carol) == []

    async def test_by_preference_not(
        self, owner: Caller, bob: Caller, project: dict[str, Any], task: Task, told: Told
    ) -> None:
        await prefer(bob, "assigned", False, "none", project_id=project["id"])
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(bob.id)})
        assert await told(bob) == []


class TestDates:
    async def remind(self, app: FastAPI, database: Database) -> None:
        await REMIND.run(make_work(app, database), Nothing())

    @pytest.mark.parametrize(
        ("change", "is_told"),
        [
            ("due_at = now() + interval '23 hours'", True),
            ("due_at = now() + interval '25 hours'", False),
            ("due_at = now() - interval '1 hour'", False),
            ("due_at = now() + interval '1 hour', completed_at = now()", False),
            ("due_at = now() + interval '1 hour', archived_at = now()", False),
            ("due_at = now() + interval '1 hour', deleted_at = now()", False),
        ],
    )
    async def test_that_come_near(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        bob: Caller,
        project: dict[str, Any],
        told: Told,
        change: str,
        is_told: bool,
    ) -> None:
        task = await make_task(owner, project, assignee_id=str(bob.id))
        await execute(database, f"UPDATE tasks SET {change}")
        for _ in range(2):
            await self.remind(app, database)
        found = await told(bob)
        assert (("due_soon", task["key"]) in found) is is_told
        assert [kind for kind, _ in found].count("due_soon") == is_told

    @pytest.mark.parametrize(
        "gone",
        [
            "UPDATE users SET is_active = false WHERE id = '{}'",
            "UPDATE memberships SET removed_at = now() WHERE user_id = '{}' AND role <> 'owner'",
        ],
    )
    async def test_of_who_is_gone_wait_for_nobody(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        bob: Caller,
        project: Task,
        monkeypatch: pytest.MonkeyPatch,
        gone: str,
    ) -> None:
        await make_workspace(bob)
        await make_task(owner, project, assignee_id=str(bob.id))
        await execute(database, "UPDATE tasks SET due_at = now() + interval '1 hour'")
        await execute(database, gone.format(bob.id))
        monkeypatch.setattr("glasswork.features.notifying.service.BATCH", 1)
        async with asyncio.timeout(5):
            await self.remind(app, database)

    async def test_another_date_is_news(
        self,
        app: FastAPI,
        database: Database,
        bob: Caller,
        project: dict[str, Any],
        owner: Caller,
        told: Told,
    ) -> None:
        await make_task(owner, project, assignee_id=str(bob.id))
        for hours in (3, 5):
            await execute(database, f"UPDATE tasks SET due_at = now() + interval '{hours} hours'")
            await self.remind(app, database)
        assert [kind for kind, _ in await told(bob)].count("due_soon") == 2


class TestByMail:
    async def test_at_once(self, owner: Caller, bob: Caller, task: Task, letters: Letters) -> None:
        await make_comment(owner, task, body=f"Look here, @{bob.username}!")
        (letter,) = await letters(bob)
        assert letter.subject == f"[{task['key']}] {task['title']}"
        assert "mentioned you" in letter.body
        assert f"Look here, @{bob.username}!" in letter.body
        assert await letters(owner) == []

    async def test_with_a_subject_of_one_line(
        self, owner: Caller, bob: Caller, project: Task, letters: Letters
    ) -> None:
        task = await make_task(owner, project, title="One\r\nBcc: two", assignee_id=str(bob.id))
        (letter,) = await letters(bob)
        assert letter.subject == f"[{task['key']}] One Bcc: two"

    @pytest.mark.parametrize(("number", "subject"), [(2, "2 news"), (3, "More than 2 news")])
    async def test_of_a_day_with_much_news_says_that_there_is_more(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        bob: Caller,
        task: Task,
        letters: Letters,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        subject: str,
    ) -> None:
        for module in ("service", "jobs"):
            monkeypatch.setattr(f"glasswork.features.letters.{module}.MOST_IN_A_LETTER", 2)
        await owner.put(f"/tasks/{task['id']}/watchers/{bob.id}")
        for count in range(number):
            await owner.patch(f"/tasks/{task['id']}", {"title": f"Title {count}"})
        await work_off(app, database)
        await execute(database, "UPDATE notifications SET created_at = now() - interval '2 days'")
        await ORDER_DAILY.run(make_work(app, database), Nothing())
        (letter,) = await letters(bob)
        assert letter.subject == f"{subject} of your tasks"
        assert letter.body.count(task["key"]) == 2
        assert ("and more" in letter.body) is (number > 2)

    async def test_by_preference(
        self, owner: Caller, bob: Caller, project: dict[str, Any], task: Task, letters: Letters, told: Told
    ) -> None:
        await prefer(bob, "assigned", False, "at_once", project_id=project["id"])
        await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(bob.id)})
        assert len(await letters(bob)) == 1
        assert await told(bob) == []

    async def test_not_of_what_has_been_read(
        self, app: FastAPI, database: Database, owner: Caller, bob: Caller, task: Task, letters: Letters
    ) -> None:
        await owner.put(f"/tasks/{task['id']}/watchers/{bob.id}")
        await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
        await work_off(app, database)
        await bob.put("/notifications/read")
        await execute(database, "UPDATE notifications SET created_at = now() - interval '2 days'")
        await ORDER_DAILY.run(make_work(app, database), Nothing())
        assert await letters(bob) == []

    @pytest.mark.parametrize("case", ["has read it", "has left", "cannot see it", "is shut off"])
    async def test_not_to_who_meanwhile(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        bob: Caller,
        task: Task,
        letters: Letters,
        case: str,
    ) -> None:
        await make_workspace(bob)
        await make_comment(owner, task, body=f"@{bob.username}")
        await work_off(app, database, NOTIFY)
        match case:
            case "has read it":
                await bob.put("/notifications/read")
            case "has left":
                await owner.delete(f"/workspaces/{task['workspace_id']}/members/{bob.id}")
            case "cannot see it":
                await owner.delete(f"/tasks/{task['id']}")
            case "is shut off":
                await execute(database, f"UPDATE users SET is_active = false WHERE id = '{bob.id}'")
        assert await letters(bob) == []

    @pytest.mark.alone
    async def test_of_a_day(
        self, app: FastAPI, database: Database, owner: Caller, bob: Caller, task: Task, letters: Letters
    ) -> None:
        await owner.put(f"/tasks/{task['id']}/watchers/{bob.id}")
        for title in ("One", "Two"):
            await owner.patch(f"/tasks/{task['id']}", {"title": title})
        assert await letters(bob) == []
        await ORDER_DAILY.run(make_work(app, database), Nothing())
        assert await letters(bob) == [], "it is not morning yet"
        await execute(database, "UPDATE notifications SET created_at = now() - interval '2 days'")
        await owner.patch(f"/tasks/{task['id']}", {"title": "Three"})
        await letters(bob)
        await ORDER_DAILY.run(make_work(app, database), Nothing())
        await letters(bob)
        await ORDER_DAILY.run(make_work(app, database), Nothing())
        (letter,) = await letters(bob)
        assert letter.subject == "2 news of your tasks"
        assert letter.body.count(task["key"]) == 2
        waiting = select(Notification.created_at > func.now() - timedelta(days=1)).where(
            Notification.mailed_at.is_(None)
        )
        async with database.reading() as session:
            assert (await session.scalars(waiting)).all() == [True]

    @pytest.mark.parametrize(
        ("zone", "moment", "is_due"),
        [
            ("UTC", "07:59", False),
            ("UTC", "08:01", True),
            ("Asia/Tokyo", "22:59", False),
            ("Asia/Tokyo", "23:01", True),
            ("America/New_York", "12:59", False),
            ("America/New_York", "13:01", True),
        ],
    )
    async def test_in_the_morning_of_their_zone(
        self, database: Database, zone: str, moment: str, is_due: bool
    ) -> None:
        """What was told at 07:30 there is due as soon as it is eight."""
        there = ZoneInfo(zone)
        now = datetime.fromisoformat(f"2026-01-15 {moment}+00:00")
        told = now.astimezone(there).replace(hour=7, minute=30)
        async with database.reading() as session:
            morning = (await session.execute(select(last_morning(literal(zone), literal(now))))).scalar_one()
        assert (told < morning) is is_due

    @pytest.mark.parametrize("kind", ["mentioned", "daily"])
    async def test_until_they_want_none(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        bob: Caller,
        task: Task,
        letters: Letters,
        kind: str,
    ) -> None:
        await owner.put(f"/tasks/{task['id']}/watchers/{bob.id}")

        async def happen() -> None:
            await make_comment(owner, task, body=f"@{bob.username}" if kind == "mentioned" else "words")
            await work_off(app, database)
            await execute(database, "UPDATE notifications SET created_at = created_at - interval '2 days'")
            await ORDER_DAILY.run(make_work(app, database), Nothing())

        await happen()
        (letter,) = await letters(bob)
        path = letter.body.rstrip().rpartition("https://example.com")[2]
        shown = await owner.client.get(path)
        assert (shown.status_code, '<form method="post">' in shown.text) == (200, True)
        await happen()
        assert len(await letters(bob)) == 2, "to look ends nothing"
        assert (await owner.client.post(path)).status_code == 204
        await happen()
        assert len(await letters(bob)) == 2
        preferences = (await bob.get("/notifications/preferences")).json()["preferences"]
        assert {each["mail"] for each in preferences} == {"none"}
        assert all(each["in_app"] for each in preferences)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_a_link_that_was_in_no_letter_leads_nowhere(self, owner: Caller, method: str) -> None:
        answer = await owner.client.request(method, "/api/v1/notifications/unsubscribe/abc")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SUBSCRIPTION_NOT_FOUND")

    @pytest.mark.parametrize("kind", [Kind.WATCHED, None])
    async def test_a_link_of_somebody_who_is_gone_leads_nowhere(
        self, app: FastAPI, owner: Caller, bob: Caller, kind: Kind | None
    ) -> None:
        links = [unsubscribe_url(app.state.keys, "/api/v1", id_, kind) for id_ in (uuid7(), bob.id, owner.id)]
        assert (await bob.request("DELETE", "/users/me", json={"password": PASSWORD})).status_code == 204
        *gone, there = links
        for link in gone:
            answer = await owner.client.post(link)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SUBSCRIPTION_NOT_FOUND")
        assert (await owner.client.post(there)).status_code == 204


async def test_a_viewer_is_told_too(
    callers: Callers, owner: Caller, workspace: dict[str, Any], task: Task, told: Told
) -> None:
    viewer = await callers.member(workspace["id"], Role.VIEWER)
    await make_comment(owner, task, body=f"@{viewer.username}")
    assert await told(viewer) == [("mentioned", task["key"])]
