import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.jobs import Job, Work
from glasswork.core.mail import Letter, Mailer, Outcome, find_kept
from tests.core.runners import Note, open_clone, order, until_done, working
from tests.databases import Server
from tests.smtp import Sink, listening, url

pytestmark = pytest.mark.anyio

SENDER = "Glasswork <robot@example.org>"


def letter(**changes: Any) -> Letter:
    words = {"name": "Ada", "token": "the-token", "api": "https://api.example.com"}
    fields = {
        "id": uuid4(),
        "recipient": "ada@example.com",
        "subject": "Welcome",
        "template": "credentials/emails/welcome",
        "words": words | changes.pop("words", {}),
    }
    return Letter(**(fields | changes))


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server, database_pool_size=2) as database:
        yield database


@pytest.fixture
def address() -> Iterator[socket.socket]:
    """Nobody listens there yet."""
    with socket.socket() as address:
        address.bind(("127.0.0.1", 0))
        yield address


def mailing(sent: Letter, begun: asyncio.Queue[int] | None = None) -> Job[Note]:
    async def run(work: Work, _: Note) -> None:
        if begun:
            begun.put_nowait(work.id)
        await work.resources.send(work, sent)

    return Job("test.mail", Note, run, max_attempts=3, first_delay=0.01)


async def send(database: Database, mailer: Mailer, sent: Letter) -> int:
    job = mailing(sent)
    job_id = await order(database, job)
    async with working(database, job, resources=mailer):
        await until_done(database, job_id)
    return job_id


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body
    content: str = body.get_content()
    return content


class TestSmtp:
    async def test_a_letter_has_text_and_html(self, database: Database, address: socket.socket) -> None:
        sink = Sink()
        async with listening(sink, address):
            sent = letter(words={"name": "Zoë"})
            await send(database, Mailer(url(address), SENDER), sent)
        (message,) = sink.accepted
        assert sink.recipients == [["ada@example.com"]]
        assert (message["From"], message["To"], message["Subject"]) == (SENDER, "ada@example.com", "Welcome")
        assert message["Message-ID"] == f"<{sent.id}@example.org>"
        assert message["Date"].datetime
        for kind in ("plain", "html"):
            assert "Hello Zoë," in part(message, kind)
            assert "the-token" in part(message, kind)

    async def test_html_is_escaped_and_text_is_not(self, database: Database, address: socket.socket) -> None:
        sink = Sink()
        async with listening(sink, address):
            await send(database, Mailer(url(address), SENDER), letter(words={"name": "<b>&"}))
        (message,) = sink.accepted
        assert "Hello <b>&," in part(message, "plain")
        assert "Hello &lt;b&gt;&amp;," in part(message, "html")

    async def test_it_logs_in(self, database: Database, address: socket.socket) -> None:
        sink = Sink()
        async with listening(sink, address):
            await send(database, Mailer(url(address, "robot%40example.org:a%2Fb@"), SENDER), letter())
        assert sink.logins == [(b"robot@example.org", b"a/b")]
        assert len(sink.accepted) == 1

    async def test_a_retry_has_the_same_message_id(self, database: Database, address: socket.socket) -> None:
        sink = Sink(refusals=2)
        async with listening(sink, address):
            await send(database, Mailer(url(address), SENDER), letter())
        assert len(sink.accepted) == 1
        ids = {message["Message-ID"] for message in sink.refused + sink.accepted}
        assert len(ids) == 1

    async def test_the_same_job_of_another_installation_has_another_message_id(
        self, database: Database, address: socket.socket
    ) -> None:
        sink = Sink()
        work = Work(id=1, resources=None, once=database.transaction)
        letters = [letter(), letter()]
        async with listening(sink, address):
            for sent in letters:
                await Mailer(url(address), SENDER).send(work, sent)
        ids = [message["Message-ID"] for message in sink.accepted]
        assert ids == [f"<{sent.id}@example.org>" for sent in letters]

    async def test_what_could_not_be_sent_is_sent_once_the_server_is_back(
        self, database: Database, address: socket.socket
    ) -> None:
        sink = Sink()
        begun: asyncio.Queue[int] = asyncio.Queue()
        job = mailing(letter(), begun)
        job_id = await order(database, job)
        async with working(database, job, resources=Mailer(url(address), SENDER)):
            await begun.get()
            await begun.get()  # so the first attempt has failed
            async with listening(sink, address):
                await until_done(database, job_id)
        assert len(sink.accepted) == 1

    async def test_a_silent_server_holds_no_connection_to_the_database(
        self, database: Database, address: socket.socket
    ) -> None:
        knocks: asyncio.Queue[None] = asyncio.Queue()
        writers: list[asyncio.StreamWriter] = []

        async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            knocks.put_nowait(None)

        job = mailing(letter())
        async with await asyncio.start_server(say_nothing, sock=address):
            for _ in range(2):
                await order(database, job)
            async with working(database, job, resources=Mailer(url(address), SENDER), finish_seconds=0):
                for _ in range(2):
                    await knocks.get()
                async with database.transaction() as session:
                    assert await session.scalar(text("SELECT 1")) == 1
            for writer in writers:
                writer.close()

    @pytest.mark.parametrize("changes", [{"subject": "Hi\r\nBcc: eve@example.com"}, {"subject": "Hi\nX: y"}])
    async def test_a_subject_of_two_lines_is_not_sent(
        self, database: Database, address: socket.socket, changes: dict[str, str]
    ) -> None:
        sink = Sink()
        async with listening(sink, address):
            work = Work(id=1, resources=None, once=database.transaction)
            with pytest.raises(ValueError, match="linefeed"):
                await Mailer(url(address), SENDER).send(work, letter(**changes))
        assert sink.accepted == []

    async def test_a_name_of_two_lines_adds_no_header(
        self, database: Database, address: socket.socket
    ) -> None:
        sink = Sink()
        name = "Ada\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>"
        async with listening(sink, address):
            await send(database, Mailer(url(address), SENDER), letter(words={"name": name}))
        (message,) = sink.accepted
        assert sink.recipients == [["ada@example.com"]]
        assert message["Bcc"] is None
        assert "MAIL FROM" in part(message, "plain")


class TestManyLetters:
    async def hand_over(self, smtp_url: str, *letters: Letter) -> list[Outcome]:
        mailer = Mailer(smtp_url, SENDER)
        async with mailer.connections(1) as (connection,):
            return [await mailer.hand_over(each, connection) for each in letters]

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [("550 No such user", Outcome.REFUSED), ("450 Later", Outcome.PUT_OFF), ("250 OK", Outcome.ACCEPTED)],
    )
    async def test_an_answer_is_of_its_letter_alone(
        self, address: socket.socket, answer: str, outcome: Outcome
    ) -> None:
        sink = Sink(answers={"eve@example.com": answer})
        async with listening(sink, address):
            told = await self.hand_over(url(address), letter(recipient="eve@example.com"), letter())
        assert told == [outcome, Outcome.ACCEPTED]

    async def test_a_letter_that_is_put_off_at_its_end_may_come_again(self, address: socket.socket) -> None:
        async with listening(Sink(refusals=1), address):
            told = await self.hand_over(url(address), letter(), letter())
        assert told == [Outcome.PUT_OFF, Outcome.ACCEPTED]

    async def test_where_nobody_listens_the_server_is_away(self, address: socket.socket) -> None:
        assert await self.hand_over(url(address), letter(), letter()) == [Outcome.AWAY] * 2

    async def test_an_address_that_cannot_be_written_is_refused(self, address: socket.socket) -> None:
        async with listening(Sink(), address):
            told = await self.hand_over(url(address), letter(recipient="zoë@example.com"), letter())
        assert told == [Outcome.REFUSED, Outcome.ACCEPTED]

    async def test_one_connection_carries_them_and_is_made_anew_where_it_was_lost(
        self, address: socket.socket
    ) -> None:
        sink, mailer = Sink(), Mailer(url(address), SENDER)
        async with listening(sink, address), mailer.connections(1) as (connection,):
            for _ in range(3):
                assert await mailer.hand_over(letter(), connection) is Outcome.ACCEPTED
            assert sink.connections == 1
            connection.close()
            assert await mailer.hand_over(letter(), connection) is Outcome.ACCEPTED
            assert sink.connections == 2

    async def test_where_they_are_kept_there_are_no_connections(self) -> None:
        async with Mailer(None, SENDER).connections(4) as connections:
            assert connections == []


class TestKept:
    async def test_without_a_server_mail_is_kept(self, database: Database) -> None:
        job_id = await send(database, Mailer(None, SENDER), letter(words={"name": "<b>"}))
        async with database.reading() as session:
            (kept,) = await find_kept(session)
        assert (kept.job_id, kept.recipient, kept.subject) == (job_id, "ada@example.com", "Welcome")
        assert kept.body.startswith("Hello <b>,\n")
        assert "the-token" in kept.body

    async def test_nothing_is_kept_where_there_is_a_server(
        self, database: Database, address: socket.socket
    ) -> None:
        async with listening(Sink(), address):
            await send(database, Mailer(url(address), SENDER), letter())
        async with database.reading() as session:
            assert await find_kept(session) == []

    async def test_the_oldest_comes_first(self, database: Database) -> None:
        for subject in ("One", "Two"):
            await send(database, Mailer(None, SENDER), letter(subject=subject))
        async with database.reading() as session:
            assert [kept.subject for kept in await find_kept(session)] == ["One", "Two"]
