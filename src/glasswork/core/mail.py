"""Mail: composed of templates, sent by SMTP from jobs, and kept where there is no SMTP server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate
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
SMTP_PORT, SMTPS_PORT = 25, 465

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


class Mailer:
    def __init__(self, smtp_url: str | None, sender: str, tracer: Tracer = NO_TRACER) -> None:
        self._smtp = urlsplit(smtp_url) if smtp_url else None
        self._sender = sender
        self._tracer = tracer

    async def send(self, work: Work, letter: Letter) -> None:
        """Send or keep, once for the job. What is sent twice all the same has the same Message-ID."""
        if self._smtp is not None:
            # In no transaction: a slow server would hold a connection that requests need.
            await self._deliver(self._compose(letter), self._smtp)
        async with work.once() as session:
            if self._smtp is None:
                session.add(self._keep(work.id, letter))

    def _keep(self, job_id: int, letter: Letter) -> KeptMail:
        body = _render(letter, "txt")
        return KeptMail(job_id=job_id, recipient=letter.recipient, subject=letter.subject, body=body)

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

    async def _deliver(self, message: EmailMessage, server: SplitResult) -> None:
        host = server.hostname or "localhost"
        port = server.port or (SMTPS_PORT if server.scheme == "smtps" else SMTP_PORT)
        told: dict[str, AttributeValue] = {
            "network.protocol.name": "smtp",
            "server.address": host,
            "server.port": port,
        }
        with client_span(self._tracer, "send mail", told):
            await aiosmtplib.send(
                message,
                hostname=host,
                port=port,
                username=unquote(server.username) if server.username else None,
                password=unquote(server.password) if server.password else None,
                use_tls=server.scheme == "smtps",
                timeout=SMTP_SECONDS,
            )


def _render(letter: Letter, ending: str) -> str:
    template = _templates.get_template(f"{letter.template}.{ending}")
    return template.render(letter.words, unsubscribe_url=letter.unsubscribe_url)


async def find_kept(session: AsyncSession, newest: int | None = None) -> Sequence[KeptMail]:
    """Return all, or the newest ones, in the order in which they were written."""
    found = await session.scalars(select(KeptMail).order_by(KeptMail.job_id.desc()).limit(newest))
    return found.all()[::-1]
