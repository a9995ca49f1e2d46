"""The other processes of the installation, and how they are asked for what only they know.

Each listens on a port of its own, and says so in the name of a connection to the database that it has
anyway: who looks into `pg_stat_activity` finds those that live, and nobody writes a register.
"""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.instance import Answer, Instance

ANSWER_SECONDS = 1.0
SIGNATURE_SECONDS = 60
SIGNATURE = "X-Glasswork-Signature"

_NAME = re.compile(r"glasswork peer (?P<host>\S+) (?P<port>\d+) (?P<token>[0-9a-f]{8})", re.ASCII)
_SIGNATURE = re.compile(r"(?P<moment>[1-9]\d{0,11})\.[0-9a-f]{64}", re.ASCII)
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 (addresses to recognise, not to listen on)
_FIND = text("""
    SELECT DISTINCT coalesce(host(client_addr), '127.0.0.1') AS address, application_name AS name
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'glasswork peer %'
""")


@dataclass(frozen=True, slots=True)
class Told:
    """What all that answered have said, and who did not."""

    answers: Sequence[Answer]
    silent: Sequence[str]


class Peers:
    def __init__(self, instance: Instance, key: bytes) -> None:
        self._instance = instance
        self._key = key
        self._token = secrets.token_hex(4)
        self._client = httpx2.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False)

    def connection_name(self, host: str, port: int) -> str:
        """What the connection must be called that tells the others where this process listens."""
        return f"glasswork peer {host} {port} {self._token}"

    async def close(self) -> None:
        await self._client.aclose()

    async def find(self, session: AsyncSession) -> Sequence[str]:
        """Return the addresses of the others that live."""
        named = [(row.address, _NAME.fullmatch(row.name)) for row in await session.execute(_FIND)]
        return [
            f"http://{_reached(address, name['host'])}:{name['port']}"
            for address, name in named
            if name and name["token"] != self._token
        ]

    async def ask(self, addresses: Sequence[str], question: str, **arguments: Any) -> Told:
        """Ask everybody at the same time, this process first."""
        body = json.dumps({"question": question, "arguments": arguments}).encode()
        own = self._instance.answer(question, arguments)
        others = await asyncio.gather(*(self._ask(address, body) for address in addresses))
        silent = [address for address, answer in zip(addresses, others, strict=True) if answer is None]
        return Told([own, *(answer["answer"] for answer in others if answer is not None)], silent)

    async def _ask(self, address: str, body: bytes) -> Mapping[str, Any] | None:
        headers = {SIGNATURE: sign(self._key, body)}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._client.post(f"{address}/", content=body, headers=headers)
            response.raise_for_status()
            answer: Mapping[str, Any] = response.json()
        except (httpx2.HTTPError, TimeoutError, ValueError):
            return None
        return answer


def _reached(address: str, host: str) -> str:
    """The database knows from where a process came whose host is all of its addresses."""
    reached = address if host in _EVERYWHERE else host
    return f"[{reached}]" if ":" in reached else reached


def sign(key: bytes, body: bytes, at: int | None = None) -> str:
    moment = str(int(time()) if at is None else at)
    mac = hmac.new(key, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"{moment}.{mac}"


def is_signed(key: bytes, body: bytes, signature: str) -> bool:
    """Whether somebody who has our secret has asked this, now."""
    found = _SIGNATURE.fullmatch(signature)
    if found is None or abs(time() - int(found["moment"])) > SIGNATURE_SECONDS:
        return False
    return hmac.compare_digest(sign(key, body, int(found["moment"])), signature)
