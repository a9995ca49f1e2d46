"""Each recipient gets one letter, or none, whatever happens on the way."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.accounts.models import SystemRole
from glasswork.features.announcements import repository, service
from glasswork.features.announcements.errors import LettersLeftError
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_announcement
from tests.smtp import Sink, listening, url

from .post import Post

pytestmark = pytest.mark.anyio

DUE = "UPDATE announcement_letters SET due_at = now()"


@pytest.fixture
def post(app: FastAPI, database: Database) -> Post:
    return Post(app, database)


@pytest.fixture
def address() -> Iterator[socket.socket]:
    """Nobody listens there yet."""
    with socket.socket() as address:
        address.bind(("127.0.0.1", 0))
        yield address


@pytest.fixture
async def members(callers: Callers, owner: Caller, workspace: dict[str, Any]) -> list[Caller]:
    """Eight, with the owner."""
    return [owner, *[await callers.member(workspace["id"], Role.VIEWER) for _ in range(7)]]


@pytest.fixture
async def announced(members: list[Caller], workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_announcement(members[0], workspace, subject="Ünë line", body="<b>&\n\nBye")


async def shown(owner: Caller, announced: dict[str, Any]) -> dict[str, Any]:
    path = f"/workspaces/{announced['workspace_id']}/announcements/{announced['id']}"
    now: dict[str, Any] = (await owner.get(path)).json()
    return now


def numbers(announced: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(announced[name] for name in ("status", "total", "sent", "failed", "unsure", "skipped"))


class BusySink(Sink):
    """It has letters in its hands until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.in_hand: asyncio.Queue[None] = asyncio.Queue()
        self.go_on = asyncio.Event()

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.in_hand.put_nowait(None)
        await self.go_on.wait()
        return await super().handle_DATA(server, session, envelope)


class LosingSink(Sink):
    """It takes the first letter, and falls silent for good."""

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        if len(self.accepted) == 1:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer


async def test_more_than_are_chosen_at_once(
    post: Post,
    address: socket.socket,
    members: list[Caller],
    announced: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repository, "_MANY", 3)
    sink = Sink()
    async with listening(sink, address):
        await post.send(announced, url(address))
    assert sorted(sink.recipients) == sorted([each.email] for each in members)
    assert numbers(await shown(members[0], announced)) == ("sent", 8, 8, 0, 0, 0)


class TestWhatGoesWrong:
    async def test_a_recipient_who_is_refused_is_told_and_stops_nobody(
        self, post: Post, address: socket.socket, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        refused = {members[2].email: "550 No such user", members[5].email: "553 Not here"}
        sink = Sink(answers=refused)
        async with listening(sink, address):
            await post.send(announced, url(address))
        assert sorted(sink.recipients) == sorted(
            [each.email] for each in members if each.email not in refused
        )
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 6, 2, 0, 0)

    async def test_while_the_server_is_away_all_wait(
        self, post: Post, address: socket.socket, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        with pytest.raises(LettersLeftError):
            await post.send(announced, url(address))
        assert await post.states() == {"waiting": 8}
        now = await shown(members[0], announced)
        assert numbers(now) == ("sending", 8, 0, 0, 0, 0)
        assert now["started_at"]
        sink = Sink()
        async with listening(sink, address):
            await post.send(announced, url(address))
        assert sorted(sink.recipients) == sorted([each.email] for each in members)
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 8, 0, 0, 0)

    async def test_what_is_put_off_is_tried_later(
        self, post: Post, address: socket.socket, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        sink = Sink(answers={members[1].email: "450 Greylisted"})
        async with listening(sink, address):
            with pytest.raises(LettersLeftError):
                await post.send(announced, url(address))
            assert await post.states() == {"sent": 7, "waiting": 1}
            with pytest.raises(LettersLeftError):
                await post.send(announced, url(address))  # it is not due
            sink.answers = {}
            await post.execute(DUE)
            await post.send(announced, url(address))
        assert sink.recipients[-1] == [members[1].email]
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 8, 0, 0, 0)

    async def test_what_is_always_put_off_has_failed_at_last(
        self, post: Post, address: socket.socket, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        async with listening(Sink(answers={members[1].email: "450 Greylisted"}), address):
            with pytest.raises(LettersLeftError):
                await post.send(announced, url(address))
            await post.execute(f"{DUE}, attempts = 15")
            await post.send(announced, url(address))
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 7, 1, 0, 0)

    async def test_what_a_server_lost_is_unsure_and_not_sent_again(
        self, post: Post, address: socket.socket, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        sink = LosingSink()
        async with listening(sink, address):
            await post.send(announced, url(address))
        assert sorted(sink.recipients) == sorted([each.email] for each in members)
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 7, 0, 1, 0)

    async def test_a_job_that_is_stopped_lets_the_server_finish_what_it_has(
        self, post: Post, address: socket.socket, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        sink = BusySink()
        async with listening(sink, address):
            job = asyncio.create_task(post.send(announced, url(address)))
            for _ in range(service.CONNECTIONS):
                await sink.in_hand.get()
            job.cancel()
            await asyncio.sleep(0)
            sink.go_on.set()
            with suppress(asyncio.CancelledError):
                await job
            assert job.cancelled()
            assert await post.states() == {"sent": 4, "waiting": 4}
            await post.send(announced, url(address))
        assert sorted(sink.recipients) == sorted([each.email] for each in members)
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 8, 0, 0, 0)

    @pytest.mark.alone
    @pytest.mark.slow
    async def test_what_a_job_leaves_that_is_ended_at_once_is_unsure_and_not_sent_again(
        self,
        post: Post,
        address: socket.socket,
        members: list[Caller],
        announced: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "LAST_SECONDS", 0)
        sink = BusySink()
        async with listening(sink, address):
            job = asyncio.create_task(post.send(announced, url(address)))
            for _ in range(service.CONNECTIONS):
                await sink.in_hand.get()
            job.cancel()
            with suppress(asyncio.CancelledError):
                await job
            assert await post.states() == {"sending": 4, "waiting": 4}
            sink.go_on.set()
            await post.send(announced, url(address))
            assert (await post.states(), await post.orders()) == ({"unsure": 4, "waiting": 4}, 2)
            await post.send(announced, url(address))
        assert len({recipient for (recipient,) in sink.recipients}) == len(sink.recipients)
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 4, 0, 4, 0)


class TestWhoIsWrittenTo:
    async def test_who_has_left_before_the_letters_turn_is_skipped(
        self,
        post: Post,
        address: socket.socket,
        callers: Callers,
        members: list[Caller],
        announced: dict[str, Any],
    ) -> None:
        with pytest.raises(LettersLeftError):
            await post.send(announced, url(address))  # the recipients are chosen
        owner, left, gone, disabled, *others = members
        late = await callers.member(announced["workspace_id"])
        assert (
            await owner.delete(f"/workspaces/{announced['workspace_id']}/members/{left.id}")
        ).status_code == 204
        assert (await gone.request("DELETE", "/users/me", json={"password": PASSWORD})).status_code == 204
        await post.execute("UPDATE users SET is_active = false WHERE id = :id", id=disabled.id)
        sink = Sink()
        async with listening(sink, address):
            await post.send(announced, url(address))
        assert sorted(sink.recipients) == sorted([each.email] for each in (owner, *others))
        assert [late.email] not in sink.recipients
        assert numbers(await shown(owner, announced)) == ("sent", 8, 5, 0, 0, 3)

    async def test_nobody_once_the_workspace_is_deleted(
        self, post: Post, address: socket.socket, owner: Caller, announced: dict[str, Any]
    ) -> None:
        assert (await owner.delete(f"/workspaces/{announced['workspace_id']}")).status_code == 204
        sink = Sink()
        async with listening(sink, address):
            await post.send(announced, url(address))
        assert sink.recipients == []

    @pytest.mark.alone
    async def test_all_active_users_where_it_is_the_installations(
        self, post: Post, callers: Callers, members: list[Caller]
    ) -> None:
        admin, disabled = await callers.user(SystemRole.ADMIN), await callers.user()
        await post.execute("UPDATE users SET is_active = false WHERE id = :id", id=disabled.id)
        announced = (await admin.post("/announcements", {"subject": "News", "body": "Of all."})).json()
        await post.send(announced)
        assert sorted(recipient for recipient, _, _ in await post.kept()) == sorted(
            each.email for each in (*members, admin)
        )
        now = (await members[0].get(f"/announcements/{announced['id']}")).json()
        assert numbers(now) == ("sent", 9, 9, 0, 0, 0)
        assert now["finished_at"]


class TestLetters:
    async def test_they_say_what_was_announced_and_by_whom(
        self,
        post: Post,
        address: socket.socket,
        workspace: dict[str, Any],
        announced: dict[str, Any],
    ) -> None:
        sink = Sink()
        async with listening(sink, address):
            await post.send(announced, url(address))
        assert sink.connections <= service.CONNECTIONS
        assert len({message["Message-ID"] for message in sink.accepted}) == 8
        for message in sink.accepted:
            assert (message["Subject"], message["Auto-Submitted"]) == ("Ünë line", "auto-generated")
            plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
            assert plain
            assert html
            assert "<b>&\r\n\r\nBye" in plain.get_content()
            assert f'to the members of the workspace "{workspace["name"]}"' in plain.get_content()
            assert "&lt;b&gt;&amp;\r\n\r\nBye" in html.get_content()

    async def test_without_a_server_they_are_kept_once(
        self, post: Post, members: list[Caller], announced: dict[str, Any]
    ) -> None:
        await post.send(announced)
        await post.send(announced)
        kept = await post.kept()
        assert [recipient for recipient, _, _ in kept] == sorted(each.email for each in members)
        assert {subject for _, subject, _ in kept} == {"Ünë line"}
        assert all("<b>&\n\nBye" in body for _, _, body in kept)
        assert numbers(await shown(members[0], announced)) == ("sent", 8, 8, 0, 0, 0)


class TestProgress:
    @pytest.mark.alone
    async def test_a_job_leaves_the_rest_to_the_next_one(
        self,
        post: Post,
        address: socket.socket,
        members: list[Caller],
        announced: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "SECONDS", -1)
        assert await post.orders() == 1  # the event's
        seen = []
        async with listening(Sink(), address):
            for _ in range(3):
                await post.send(announced, url(address))
                now = await shown(members[0], announced)
                seen.append((now["status"], now["sent"], now["version"], await post.orders()))
        assert seen == [("sending", 4, 3, 2), ("sent", 8, 5, 2), ("sent", 8, 5, 2)]
