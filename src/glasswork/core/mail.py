"""Mail: composed of templates, sent by SMTP from jobs, and kept where there is no SMTP server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import UUID

import aiosmtplib
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from opentelemetry.trace import Tracer
from opentelemetry.util.types import AttributeValue
from sqlalchemy import BigInteger, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.jobs import NO_TRACER, Work
from glasswork.core.models import Base
from glasswork.core.telemetry.traces import client_span

SMTP_SECONDS = 10
QUIT_SECONDS = 1
SMTP_PORT, SMTPS_PORT = 25, 465
PERMANENT = 500
"""From this code on a refusal is for good."""

_templates = Environment(
    loader=PackageLoader("glasswork", "features"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)


class KeptMail(Base):
    """Mail that there is no SMTP server for; a person reads it with `glasswork mail`."""

    __tablename__ = "kept_mails"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    letter_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    recipient: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    kept_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True, slots=True)
class Letter:
    id: UUID
    """The same at each attempt, and no other letter's: it makes the Message-ID."""
    recipient: str
    subject: str
    template: str
    """Below `features/`, without its ending: there is a `.txt` and a `.html`."""
    words: Mapping[str, Any]
    unsubscribe_url: str | None = None
    """Where one click, or the reader's program (RFC 8058), ends letters of this kind."""


class Outcome(StrEnum):
    """What became of a letter that was handed over."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For good: no other attempt can change that."""
    PUT_OFF = "put_off"
    """Surely not accepted; later it may be."""
    AWAY = "away"
    """Likewise, and no other letter would be: the connection failed, or nothing is taken from this sender."""
    UNSURE = "unsure"
    """The server fell silent with the letter in its hands."""


class Connection(aiosmtplib.SMTP):
    """To the mail server; it is made when the first letter goes out, and anew where it was lost."""

    has_begun = False
    """Whether the present letter's content is on its way: silence then says nothing."""

    async def data(self, message: str | bytes, /, **options: Any) -> aiosmtplib.SMTPResponse:
        self.has_begun = True
        return await super().data(message, **options)

    @classmethod
    def to(cls, server: SplitResult) -> "Connection":
        return cls(
            hostname=server.hostname or "localhost",
            port=_port(server),
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password) if server.password else None,
            use_tls=server.scheme == "smtps",
            timeout=SMTP_SECONDS,
        )


class Mailer:
    def __init__(self, smtp_url: str | None, sender: str, tracer: Tracer = NO_TRACER) -> None:
        self._smtp = urlsplit(smtp_url) if smtp_url else None
        self._sender = sender
        self._tracer = tracer

    async def send(self, work: Work, letter: Letter) -> None:
        """Send or keep, once for the job. What is sent twice all the same has the same Message-ID."""
        if self._smtp is not None:
            # In no transaction: a slow server would hold a connection that requests need.
            message = self._compose(letter)
            with self._span(self._smtp):
                async with Connection.to(self._smtp) as connection:
                    await connection.send_message(message)
        async with work.once() as session:
            if self._smtp is None:
                session.add(self.kept(work.id, letter))

    def kept(self, job_id: int, letter: Letter) -> KeptMail:
        """As it is stored where there is no server."""
        return KeptMail(
            job_id=job_id,
            letter_id=letter.id,
            recipient=letter.recipient,
            subject=letter.subject,
            body=_render(letter, "txt"),
        )

    @asynccontextmanager
    async def connections(self, number: int) -> AsyncIterator[Sequence[Connection]]:
        """So many for letters that follow each other; none where letters are kept."""
        opened = [] if self._smtp is None else [Connection.to(self._smtp) for _ in range(number)]
        try:
            yield opened
        finally:
            for connection in opened:
                await _close(connection)

    async def hand_over(self, letter: Letter, connection: Connection) -> Outcome:
        """Try once, and tell how far it came; the caller sees to it that no letter goes out twice."""
        assert self._smtp is not None  # noqa: S101 (there are connections)
        connection.has_begun = False
        try:
            with self._span(self._smtp):
                if not connection.is_connected:
                    await _connect(connection)
                await connection.send_message(self._compose(letter))
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _outcome(error, connection)
        return Outcome.ACCEPTED

    def _compose(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = letter.recipient
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{letter.id}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.unsubscribe_url:
            message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(_render(letter, "txt"))
        message.add_alternative(_render(letter, "html"), subtype="html")
        return message

    def _span(self, server: SplitResult) -> AbstractContextManager[None]:
        told: dict[str, AttributeValue] = {
            "network.protocol.name": "smtp",
            "server.address": server.hostname or "localhost",
            "server.port": _port(server),
        }
        return client_span(self._tracer, "send mail", told)


def _port(server: SplitResult) -> int:
    return server.port or (SMTPS_PORT if server.scheme == "smtps" else SMTP_PORT)


async def _connect(connection: Connection) -> None:
    try:
        await connection.connect()
    except (aiosmtplib.SMTPException, OSError) as error:
        raise aiosmtplib.SMTPConnectError(str(error)) from error


async def _close(connection: Connection) -> None:
    try:
        if connection.is_connected:
            await connection.quit(timeout=QUIT_SECONDS)
    except (aiosmtplib.SMTPException, OSError):
        pass  # it is over either way
    finally:
        connection.close()


def _outcome(error: Exception, connection: Connection) -> Outcome:
    match error:
        case aiosmtplib.SMTPConnectError() | aiosmtplib.SMTPSenderRefused():
            return Outcome.AWAY
        case aiosmtplib.SMTPRecipientsRefused(recipients=[refusal, *_]) | (
            aiosmtplib.SMTPDataError() as refusal
        ):
            return Outcome.REFUSED if refusal.code >= PERMANENT else Outcome.PUT_OFF
        case aiosmtplib.SMTPNotSupported() | ValueError():  # an address that cannot be written to
            return Outcome.REFUSED
        case _:
            return Outcome.UNSURE if connection.has_begun else Outcome.PUT_OFF


def _render(letter: Letter, ending: str) -> str:
    template = _templates.get_template(f"{letter.template}.{ending}")
    return template.render(letter.words, unsubscribe_url=letter.unsubscribe_url)


async def find_kept(session: AsyncSession, newest: int | None = None) -> Sequence[KeptMail]:
    """Return all, or the newest ones, in the order in which they were written."""
    newest_first = (KeptMail.job_id.desc(), KeptMail.letter_id.desc())
    found = await session.scalars(select(KeptMail).order_by(*newest_first).limit(newest))
    return found.all()[::-1]
