"""An authenticator app, and sessions that have grown old."""

from base64 import b32decode
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from httpx2 import AsyncClient, Response
from sqlalchemy import text

from glasswork.core import totp
from glasswork.core.db import Database
from glasswork.core.tokens import digest
from glasswork.features.second_factors import policy
from glasswork.features.second_factors.models import RecoveryCode, TotpSecret
from tests.factories.callers import PASSWORD, Caller

RECOVERY_CODE = "00000-aaaaa-bbbbb"


@dataclass
class Authenticator:
    database: Database
    secret: bytes
    recovery_codes: list[str]

    async def code(self, later: int = 0) -> str:
        """Return that of so many steps later, by the database's clock."""
        async with self.database.reading() as session:
            now = (await session.execute(text("SELECT extract(epoch FROM now())"))).scalar_one()
        return totp.code_at(self.secret, totp.step_at(now) + later)

    async def wrong_code(self) -> str:
        return f"{(int(await self.code()) + 1) % 10**totp.DIGITS:06}"


async def begin(caller: Caller, database: Database) -> Authenticator:
    answer = await caller.post("/auth/totp", {"password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return Authenticator(database, b32decode(answer.json()["secret"]), [])


async def turn_on(caller: Caller, database: Database) -> Authenticator:
    """With the code before this one, so that two are left to log in with."""
    app = await begin(caller, database)
    answer = await caller.post("/auth/totp/confirm", {"code": await app.code(-1)})
    assert answer.status_code == 200, answer.text
    app.recovery_codes = answer.json()["recovery_codes"]
    return app


async def give_recovery_code(database: Database, user_id: UUID) -> None:
    """Turn the second factor on without an app: there is `RECOVERY_CODE`."""
    async with database.transaction() as session:
        session.add(TotpSecret(user_id=user_id, secret="", confirmed_at=datetime.now(UTC)))
        await session.flush()
        session.add(RecoveryCode(user_id=user_id, code_hash=digest(policy.plain(RECOVERY_CODE))))


async def challenge_of(caller: Caller, password: str = PASSWORD) -> str:
    answer = await log_in_with(caller.client, caller.email, None, password)
    assert answer.status_code == 401, answer.text
    challenge: str = answer.json()["error"]["details"]["challenge"]
    return challenge


async def log_in_with(
    client: AsyncClient, login: str, code: str | None, password: str = PASSWORD
) -> Response:
    form = {"username": login, "password": password} | ({} if code is None else {"code": code})
    return await client.post("/api/v1/auth/token", data=form)


async def answer_with(client: AsyncClient, challenge: str, code: str) -> Response:
    return await client.post("/api/v1/auth/second-factor", json={"challenge": challenge, "code": code})


async def grow_old(database: Database, user_id: UUID, age: str) -> None:
    """Let the user have proved so long ago who they are."""
    statement = text(
        "UPDATE user_sessions SET authenticated_at = now() - CAST(:age AS text)::interval WHERE user_id = :id"
    )
    async with database.transaction() as session:
        await session.execute(statement, {"age": age, "id": user_id})
