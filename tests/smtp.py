"""An SMTP server that keeps what it is given."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope


class Sink:
    """It refuses at first, `refusals` times; to some addresses it has another answer than the others'."""

    def __init__(self, refusals: int = 0, answers: Mapping[str, str] | None = None) -> None:
        self.refusals = refusals
        self.answers = answers or {}
        self.connections = 0
        self.refused: list[EmailMessage] = []
        self.accepted: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Any, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _: SMTP, __: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, EmailMessage, policy=policy.default)
        if len(self.refused) < self.refusals:
            self.refused.append(message)
            return "451 Later"
        self.accepted.append(message)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def authenticate(self, *arguments: Any) -> AuthResult:
        login = arguments[-1]
        self.logins.append((login.login, login.password))
        return AuthResult(success=True)

    def server(self) -> SMTP:
        self.connections += 1
        return SMTP(self, hostname="sink", authenticator=self.authenticate, auth_require_tls=False)


@asynccontextmanager
async def listening(sink: Sink, at: socket.socket) -> AsyncIterator[None]:
    server = await asyncio.get_running_loop().create_server(sink.server, sock=at)
    async with server:
        yield


@asynccontextmanager
async def listening_anywhere(sink: Sink) -> AsyncIterator[str]:
    """Yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as address:
        async with listening(sink, address):
            yield url(address)


def url(address: socket.socket, login: str = "") -> str:
    return f"smtp://{login}127.0.0.1:{address.getsockname()[1]}"
