"""People who call the API."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient, Response
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.passwords import hash_password
from glasswork.core.tokens import Keys, issue_access_token
from glasswork.features.accounts.models import SystemRole, User, UserSession
from glasswork.features.workspaces.models import Membership, Role, Workspace

PASSWORD = "tremendous otter 77"
PASSWORD_HASH = hash_password(PASSWORD)

_numbers = count(1)


@dataclass(frozen=True)
class Caller:
    client: AsyncClient
    actor: Actor
    email: str
    username: str
    token: str

    @property
    def id(self) -> UUID:
        return self.actor.user_id

    async def get(self, path: str, **query: Any) -> Response:
        return await self.request("GET", path, params=query)

    async def post(self, path: str, body: Any = None, **headers: str) -> Response:
        return await self.request("POST", path, json=body, headers=headers)

    async def put(self, path: str, body: Any = None, **headers: str) -> Response:
        return await self.request("PUT", path, json=body, headers=headers)

    async def patch(self, path: str, body: Any, **headers: str) -> Response:
        return await self.request("PATCH", path, json=body, headers=headers)

    async def delete(self, path: str, **headers: str) -> Response:
        return await self.request("DELETE", path, headers=headers)

    async def request(self, method: str, path: str, **options: Any) -> Response:
        """`path` is below /api/v1; headers are given as `if_match='"1"'`."""
        headers = {name.replace("_", "-"): value for name, value in options.pop("headers", {}).items()}
        headers["Authorization"] = f"Bearer {self.token}"
        options = {name: value for name, value in options.items() if value is not None}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)


class Callers:
    """Makes users who are logged in, straight in the database: no password is hashed for them."""

    def __init__(self, client: AsyncClient, database: Database, keys: Keys, name: str = "user") -> None:
        self.client = client
        self.database = database
        self.keys = keys
        self._name = name

    async def user(self, role: SystemRole = SystemRole.USER) -> Caller:
        username = f"{self._name}{next(_numbers)}"
        user = User(
            id=uuid7(),
            email=f"{username}@example.com",
            username=username,
            name=username.title(),
            password_hash=PASSWORD_HASH,
            role=role,
        )
        actor = Actor(user.id, uuid7())
        async with self.database.system_transaction() as session:
            session.add(user)
            await session.flush()
            session.add(UserSession(id=actor.session_id, user_id=user.id, sequence=0))
        token = issue_access_token(self.keys, actor)
        return Caller(self.client, actor, user.email, user.username, token)

    async def outsider(self, role: SystemRole = SystemRole.USER) -> Caller:
        """Somebody who owns a workspace elsewhere."""
        caller = await self.user(role)
        elsewhere = Workspace(
            id=uuid7(), name="Elsewhere", slug=f"of-{caller.username}", created_by=caller.id
        )
        async with self.database.system_transaction() as session:
            session.add(elsewhere)
            await session.flush()
            session.add(Membership(workspace_id=elsewhere.id, user_id=caller.id, role=Role.OWNER))
        return caller

    async def member(self, workspace_id: UUID | str, role: Role = Role.MEMBER) -> Caller:
        """Elsewhere each is an owner."""
        caller = await self.outsider()
        await self.join(caller, workspace_id, role)
        return caller

    async def join(self, caller: Caller, workspace_id: UUID | str, role: Role) -> None:
        async with self.database.system_transaction() as session:
            session.add(Membership(workspace_id=UUID(str(workspace_id)), user_id=caller.id, role=role))
