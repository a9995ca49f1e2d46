"""Calendar feeds: who may make and see them, whom their links let in, and what stands in the calendar."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from httpx2 import Response
from icalendar import Calendar, vText
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.tokens import digest
from glasswork.features.calendars import repository
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import (
    make_calendar_feed,
    make_project,
    make_task,
    make_workspace,
)
from tests.features.accounts.sign_in import error_of
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
LONG_AGO = SOON - timedelta(days=100)


def of(workspace: dict[str, Any]) -> str:
    return f"/workspaces/{workspace['id']}/calendar-feeds"


def at(feed: dict[str, Any]) -> str:
    return f"/calendar-feeds/{feed['id']}"


async def follow(caller: Caller, feed: dict[str, Any], **headers: str) -> Response:
    """As a calendar does, that knows nothing but the link."""
    return await caller.client.get(urlsplit(feed["url"]).path, headers=headers)


async def events(caller: Caller, feed: dict[str, Any]) -> list[Any]:
    answer = await follow(caller, feed)
    assert answer.status_code == 200, answer.text
    return list(Calendar.from_ical(answer.content).events)


async def titles(caller: Caller, feed: dict[str, Any]) -> list[str]:
    return [str(event["summary"]).partition(" ")[2] for event in await events(caller, feed)]


@pytest.fixture
async def feed(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_calendar_feed(owner, workspace, filter="all")


class TestRefusals:
    @by_role(viewer=201, member=201, admin=201, owner=201)
    async def test_to_make_one(
        self, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(of(workspace), {"name": "F"})).status_code == status

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": " "},
            {"name": "a" * 101},
            {"filter": "none"},
            {"time_zone": "Mars/Olympus"},
            {"token": "mine"},
        ],
    )
    async def test_what_makes_no_feed(
        self, owner: Caller, workspace: dict[str, Any], fields: dict[str, Any]
    ) -> None:
        answer = await owner.post(of(workspace), {"name": "F"} | fields)
        assert (answer.status_code, error_of(answer)["code"]) == (422, "VALIDATION_ERROR")
        assert (await owner.get(of(workspace))).json()["items"] == []

    async def test_a_project_of_another_workspace_or_a_deleted_one(
        self, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        elsewhere = await make_project(owner, await make_workspace(owner))
        deleted = await make_project(owner, workspace)
        await owner.delete(f"/projects/{deleted['id']}")
        for project in (elsewhere, deleted):
            answer = await owner.post(of(workspace), {"name": "F", "project_id": project["id"]})
            assert error_of(answer)["details"]["errors"][0]["code"] == "unknown_project"

    async def test_of_who_has_not_logged_in_lately(
        self, owner: Caller, workspace: dict[str, Any], database: Database
    ) -> None:
        async with database.system_transaction() as session:
            await session.execute(
                text("UPDATE user_sessions SET authenticated_at = now() - interval '1 day'")
            )
        answer = await owner.post(of(workspace), {"name": "F"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_feeds_of_others(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any], feed: dict[str, Any]
    ) -> None:
        admin = await callers.member(workspace["id"], Role.ADMIN)
        for caller, status in ((admin, 404), (owner, 200)):
            assert (await caller.get(at(feed))).status_code == status
        assert (await admin.get(of(workspace))).json()["items"] == []
        assert (await admin.delete(at(feed))).status_code == 404
        assert (await owner.delete(at(feed))).status_code == 204

    async def test_a_stale_etag(self, owner: Caller, feed: dict[str, Any]) -> None:
        answers = [(await owner.delete(at(feed), if_match=tag)).status_code for tag in ('"2"', '"1"')]
        assert answers == [412, 204]

    @pytest.mark.parametrize("token", ["x", "gwf_" + "a" * 43, "a" * 5000, "%00", "%ED%A0%80"])
    async def test_links_that_never_were(self, owner: Caller, token: str) -> None:
        answer = await owner.client.get(f"/api/v1/calendars/{token}.ics")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "CALENDAR_NOT_FOUND")
        assert token not in answer.text or token == "x"


class TestThatLinksShowNothingAnyMore:
    @pytest.fixture(autouse=True)
    async def _shown(self, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]) -> None:
        self.ada = await callers.member(workspace["id"])
        self.feed = await make_calendar_feed(self.ada, workspace, project_id=project["id"])
        assert (await follow(self.ada, self.feed)).status_code == 200

    async def gone(self) -> bool:
        answer = await follow(self.ada, self.feed)
        return (answer.status_code, error_of(answer)["code"]) == (404, "CALENDAR_NOT_FOUND")

    async def test_when_the_feed_is_deleted(self) -> None:
        assert (await self.ada.delete(at(self.feed))).status_code == 204
        assert await self.gone()
        assert (await self.ada.get(at(self.feed))).status_code == 404

    async def test_when_its_maker_is_no_member(self, owner: Caller, workspace: dict[str, Any]) -> None:
        await owner.delete(f"/workspaces/{workspace['id']}/members/{self.ada.id}")
        assert await self.gone()

    async def test_when_the_account_is_shut(self, database: Database) -> None:
        shut = text("UPDATE users SET is_active = false WHERE id = :id")
        async with database.system_transaction() as session:
            await session.execute(shut, {"id": self.ada.id})
        assert await self.gone()

    @pytest.mark.parametrize("kind", ["project", "workspace"])
    async def test_when_the_place_is_deleted(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], kind: str
    ) -> None:
        place = {"project": project, "workspace": workspace}[kind]
        assert (await owner.delete(f"/{kind}s/{place['id']}")).status_code == 204
        assert await self.gone()


@pytest.mark.alone
async def test_the_link_is_shown_once_and_kept_as_a_hash(
    owner: Caller, workspace: dict[str, Any], feed: dict[str, Any], database: Database
) -> None:
    assert re.fullmatch(r"https?://[^/]+/api/v1/calendars/gwf_[\w-]{43}\.ics", feed["url"])
    shown = {name: value for name, value in feed.items() if name != "url"}
    assert (await owner.get(at(feed))).json() == shown
    assert (await owner.get(of(workspace))).json()["items"] == [shown]
    token = feed["url"].rpartition("/")[2].removesuffix(".ics")
    async with database.reading() as session:
        kept = (await session.scalars(text("SELECT calendar_feeds::text FROM calendar_feeds"))).one()
    assert digest(token) in kept
    assert token not in kept


async def test_the_audit_log_tells_of_them(
    owner: Caller, callers: Callers, workspace: dict[str, Any]
) -> None:
    ada = await callers.member(workspace["id"])
    feed = await make_calendar_feed(ada, workspace)
    await ada.delete(at(feed))
    log = (await owner.get(f"/workspaces/{workspace['id']}/audit", actor_id=str(ada.id), sort="at")).json()
    assert [(each["type"], each["subject"]["id"]) for each in log["items"]] == [
        ("calendar_feed.created", feed["id"]),
        ("calendar_feed.deleted", feed["id"]),
    ]
    assert "gwf_" not in str(log)
    assert "calendar_feed" not in (await ada.get(f"/workspaces/{workspace['id']}/changes")).text


async def test_open_tasks_with_a_date_are_in_it(
    owner: Caller, project: dict[str, Any], feed: dict[str, Any]
) -> None:
    async def make(title: str, **fields: Any) -> dict[str, Any]:
        dates = {name: value.isoformat() for name, value in fields.items()}
        return await make_task(owner, project, title=title, **dates)

    await make("starts late", start_at=SOON + timedelta(days=9))
    await make("due late", due_at=SOON + timedelta(days=2), start_at=SOON)
    await make("due soon", due_at=SOON)
    await make("overdue", due_at=SOON - timedelta(days=80))
    await make("forgotten", due_at=LONG_AGO)
    await make("forgotten, too", start_at=LONG_AGO)
    await make("forgotten, though it starts soon", due_at=LONG_AGO, start_at=SOON)
    await make("without a date")
    done, archived, deleted = [await make(f"no {n}", due_at=SOON) for n in range(3)]
    await owner.put(f"/tasks/{done['id']}/completion")
    await owner.put(f"/tasks/{archived['id']}/archive")
    await owner.delete(f"/tasks/{deleted['id']}")
    assert await titles(owner, feed) == ["overdue", "due soon", "due late", "starts late"]
    await owner.delete(f"/tasks/{done['id']}/completion")
    assert await titles(owner, feed) == ["overdue", "due soon", "no 0", "due late", "starts late"]
    await owner.delete(f"/projects/{project['id']}")
    assert await titles(owner, feed) == []


async def test_a_feed_is_of_me_or_of_all_and_of_one_project_or_of_all(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    other = await make_project(owner, workspace)
    beyond = await make_project(owner, await make_workspace(owner))
    due = {"due_at": SOON.isoformat()}
    await make_task(owner, beyond, title="beyond", assignee_id=str(owner.id), **due)
    for place, name in ((project, "here"), (other, "there")):
        await make_task(owner, place, title=f"mine {name}", assignee_id=str(owner.id), **due)
        await make_task(owner, place, title=f"any {name}", **due)
    for fields, expected in (
        ({}, ["mine here", "mine there"]),
        ({"filter": "all"}, ["mine here", "any here", "mine there", "any there"]),
        ({"project_id": project["id"]}, ["mine here"]),
        ({"filter": "all", "project_id": other["id"]}, ["mine there", "any there"]),
    ):
        made = await make_calendar_feed(owner, workspace, **fields)
        assert await titles(owner, made) == expected


async def test_only_the_next_of_what_recurs_is_in_it(
    owner: Caller, project: dict[str, Any], feed: dict[str, Any]
) -> None:
    rule = {"rule": "FREQ=DAILY", "time_zone": "UTC"}
    task = await make_task(owner, project, title="Daily", due_at=SOON.isoformat(), recurrence=rule)
    await owner.put(f"/tasks/{task['id']}/completion")
    (event,) = await events(owner, feed)
    assert event["uid"] != f"{task['id']}@glasswork"
    assert event.start == SOON + timedelta(days=1)
    assert "RRULE" not in event


async def test_an_event_says_what_the_task_does(
    owner: Caller, project: dict[str, Any], feed: dict[str, Any]
) -> None:
    fields = {"title": "Port", "description": "Open it.\n\n*Now*", "due_at": SOON.isoformat()}
    task = await make_task(owner, project, **fields)
    await owner.patch(f"/tasks/{task['id']}", {"title": "Harbour"})
    task = (await owner.get(f"/tasks/{task['id']}")).json()
    (event,) = await events(owner, feed)
    url = f"{feed['url'].partition('/calendars')[0]}/tasks/{task['id']}"
    assert event["uid"] == f"{task['id']}@glasswork"
    assert (event["sequence"], event["summary"]) == (task["version"], f"{task['key']} Harbour")
    assert (event["description"], event["url"]) == (f"Open it.\n\n*Now*\n\n{url}", url)
    assert (event["status"], event["transp"]) == ("CONFIRMED", "TRANSPARENT")
    changed = datetime.fromisoformat(task["updated_at"]).replace(microsecond=0)
    assert event["dtstamp"].dt == event["last-modified"].dt == changed
    assert event["dtstart"].dt == SOON
    assert "DTEND" not in event


@pytest.mark.parametrize(
    ("zone", "due_at", "start"),
    [
        ("UTC", "3000-03-01T00:00:00Z", date(3000, 3, 1)),
        ("Europe/Berlin", "3000-02-28T23:00:00Z", date(3000, 3, 1)),
        ("America/New_York", "3000-07-01T04:00:00Z", date(3000, 7, 1)),
        ("Europe/Berlin", "3000-03-01T00:00:00Z", datetime(3000, 3, 1, tzinfo=UTC)),
        ("Europe/Berlin", "3000-03-01T09:30:00+09:00", datetime(3000, 3, 1, 0, 30, tzinfo=UTC)),
    ],
)
async def test_what_is_due_at_midnight_is_due_that_day(
    owner: Caller,
    workspace: dict[str, Any],
    project: dict[str, Any],
    zone: str,
    due_at: str,
    start: date,
) -> None:
    feed = await make_calendar_feed(owner, workspace, filter="all", time_zone=zone)
    await make_task(owner, project, due_at=due_at)
    (event,) = await events(owner, feed)
    assert event["dtstart"].dt == start
    assert event["dtstart"].params.get("VALUE", "DATE-TIME") == (
        "DATE-TIME" if isinstance(start, datetime) else "DATE"
    )


async def test_every_text_comes_back(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    words = 'a, b; c: "d" \\n \\ 🦉' + "🦉é" * 60
    lines = f"{words}\r\nnext\rand\n\x0b\x1b[0mEND:VEVENT\nATTACH:x"
    feed = await make_calendar_feed(owner, workspace, filter="all", name=f"My\n{words[:40]}")
    await make_task(owner, project, title=words, description=lines, due_at=SOON.isoformat())
    raw = (await follow(owner, feed)).content
    assert max(map(len, raw.split(b"\r\n"))) <= 75
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n)", raw)
    calendar: Any = Calendar.from_ical(raw)
    (event,) = calendar.events
    assert event["summary"] == f"OPS-1 {words}"
    assert event["description"].startswith(f"{words}\nnext\nand\n[0mEND:VEVENT\nATTACH:x\n\nhttp")
    names = {calendar[name] for name in ("name", "x-wr-calname")}
    assert names == {vText(f"My {words[:40]}").to_ical().decode()}  # these the library leaves as they are
    assert "ATTACH" not in event


async def test_a_calendar_says_how_often_to_look_and_what_has_not_changed(
    owner: Caller, project: dict[str, Any], feed: dict[str, Any]
) -> None:
    task = await make_task(owner, project, due_at=SOON.isoformat())
    answer = await follow(owner, feed)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    lines = answer.text.split("\r\n")
    assert {"REFRESH-INTERVAL;VALUE=DURATION:PT1H", "X-PUBLISHED-TTL:PT1H"} <= set(lines)
    tag = answer.headers["ETag"]
    for seen in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await follow(owner, feed, **{"If-None-Match": seen})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert (await follow(owner, feed)).content == answer.content
    await owner.patch(f"/tasks/{task['id']}", {"priority": "high"})
    changed = await follow(owner, feed, **{"If-None-Match": tag})
    assert (changed.status_code, changed.headers["ETag"] == tag) == (200, False)


async def test_it_is_not_longer_than_it_may_be(
    owner: Caller, project: dict[str, Any], feed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MOST", 2)
    for n in range(3):
        dates = {"due_at" if n % 2 else "start_at": (SOON + timedelta(days=n)).isoformat()}
        await make_task(owner, project, title=f"{n}", description="d" * 1000, **dates)
    found = await events(owner, feed)
    assert [str(event["summary"]) for event in found] == ["OPS-1 0", "OPS-2 1"]
    assert all(len(event["description"].partition("\n")[0]) == repository.MOST_CHARACTERS for event in found)


async def test_what_is_gone_takes_no_place_of_what_is_there(
    owner: Caller, workspace: dict[str, Any], feed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MOST", 1)
    gone, there = [await make_project(owner, workspace, key=key) for key in ("GONE", "THERE")]
    await make_task(owner, gone, title="Gone", due_at=SOON.isoformat())
    await make_task(owner, there, title="There", due_at=(SOON + timedelta(days=1)).isoformat())
    assert await titles(owner, feed) == ["Gone"]
    await owner.delete(f"/projects/{gone['id']}")
    assert await titles(owner, feed) == ["There"]
