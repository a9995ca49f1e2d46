"""Random mutations: who asks for what, and what became of it."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import httpx2

from tests.factories.callers import PASSWORD, Caller

from .document import Json, Maker, Operation, Refer, ids_in
from .fleet import Fleet
from .known import Ids, Known, Thing

API = "/api/v1"
CUT_OFF = (httpx2.NetworkError, httpx2.RemoteProtocolError)
WEIGHTS = {"create_task": 4, "update_task": 5, "register": 8, "create_workspace": 0.5, "log_in": 0.3}
"""Of operations in the traffic; that of the others is 1."""


@dataclass
class Person:
    id: str
    email: str
    token: str = field(repr=False)
    refresh_token: str = field(default="none yet", repr=False)

    @classmethod
    def of(cls, caller: Caller) -> "Person":
        return cls(str(caller.id), caller.email, caller.token)


@dataclass
class Request:
    id: str
    """Begins with its operation's."""
    operation: Operation
    person: Person
    path: str
    target: Thing | None
    headers: dict[str, str]
    body: Json | None = None
    status: int | None = None
    """None: it was cut off before it was answered, and cannot be sent again."""
    was_retried: bool = False
    was_replayed: bool = False
    answer: Any = None

    @property
    def inside(self) -> Ids:
        return self.target.ids if self.target else {}


class Traffic:
    def __init__(
        self, fleet: Fleet, client: httpx2.AsyncClient, operations: dict[str, Operation], rng: Random
    ) -> None:
        self.operations = operations
        self.known = Known(rng)
        self.people: dict[str, Person] = {}
        """By their e-mail addresses."""
        self.requests: list[Request] = []
        self.wanted: set[str] = set()
        """Operations that every second request is of, when there are any."""
        self.words: dict[str, list[Any]] = {"recurrence": [None]}
        self.mailed: list[str] = []
        """Tokens that prove an e-mail address."""
        self.invited: dict[str, str] = {}
        """E-mail addresses by the token that was issued to them."""
        self._fleet = fleet
        self._client = client
        self._rng = rng
        self._maker = Maker(rng, self.people, self.words)
        self._numbers = count(1)

    async def write(self, person: Person, over: asyncio.Event) -> None:
        while not over.is_set():
            request = self._compose(person)
            if request is None:
                continue
            await self._send(request)
            if request.status == httpx2.codes.UNAUTHORIZED:
                await self._sign_in(request.person)

    async def ask(self, operation: str, person: Person, given: Json | None = None, **ids: str) -> Any:
        """Send what must succeed; return the answer."""
        request = self._request(operation, person, Thing("", ids))
        self._fill(request, given or {})
        await self._send(request)
        assert request.status in {200, 201, 204}, request
        return request.answer

    async def get(self, person: Person, path: str, **query: Any) -> Any:
        """Ask until it is answered."""
        while True:
            url = f"{await self._fleet.address(self._rng)}{API}{path}"
            headers = {"Authorization": f"Bearer {person.token}"}
            try:
                response = await self._client.get(url, params=query, headers=headers)
            except CUT_OFF:
                continue
            if response.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
                continue
            if response.status_code != httpx2.codes.UNAUTHORIZED:
                assert response.status_code == httpx2.codes.OK, response.text
                return response.json()
            await self._sign_in(person)

    async def get_all(self, person: Person, path: str, **query: str) -> list[Any]:
        items: list[Any] = []
        query["limit"] = "100"
        while True:
            page = await self.get(person, path, **query)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]

    async def _sign_in(self, person: Person) -> None:
        request = self._request("log_in", person, None)
        self._fill(request, _password(person))
        await self._send(request)

    async def _send(self, request: Request) -> None:
        self.requests.append(request)
        response = await self._try(request)
        while response is None and request.operation.takes_key:
            request.was_retried = True
            response = await self._try(request)
        if response is None:
            return
        request.answer = response.json() if response.content else None
        request.status = response.status_code
        request.was_replayed = "Idempotent-Replayed" in response.headers
        self._learn(request)

    async def _try(self, request: Request) -> httpx2.Response | None:
        url = await self._fleet.address(self._rng) + request.path
        form, json = (request.body, None) if request.operation.is_form else (None, request.body)
        try:
            return await self._client.request(
                request.operation.method, url, headers=request.headers, data=form, json=json
            )
        except CUT_OFF:
            return None

    def _compose(self, person: Person) -> Request | None:
        """A random request; None where nothing is known that it could be about."""
        operation = self._choose()
        given: Json | None = {}
        match operation.id:
            case "log_in":
                given = _password(person)
            case "refresh":
                given = {"refresh_token": person.refresh_token}
            case "accept_invitation":
                token = self._rng.choice([*self.invited, None])
                person = self.people[self.invited.pop(token)] if token else person
                given = {"token": token} if token else None
            case "verify_email":
                given = {"token": self.mailed.pop()} if self.mailed else None
        target = self._target(operation, person)
        if given is None or (target is None and operation.parameters):
            return None
        request = self._request(operation.id, person, target)
        self._fill(request, given)
        if operation.takes_if_match and target and target.version and self._rng.random() < 1 / 6:
            request.headers["If-Match"] = f'"{target.version}"'
        return request

    def _choose(self) -> Operation:
        if self.wanted and self._rng.random() < 1 / 2:
            return self.operations[self._rng.choice(sorted(self.wanted))]
        weights = [WEIGHTS.get(name, 1) for name in self.operations]
        return self._rng.choices(list(self.operations.values()), weights)[0]

    def _target(self, operation: Operation, person: Person) -> Thing | None:
        """What the path names: each of its ids lies inside the one before."""
        target: Thing | None = None
        for name, schema in operation.parameters.items():
            kind = schema.get("x-ref")
            if kind is None:
                ids = {name.removesuffix("_id"): self._maker.value(schema, lambda _: None)}
                return Thing(name, ids)
            is_last = name == list(operation.parameters)[-1]
            spare = is_last and (operation.method == "delete" or kind == "user")
            target = self.known.pick(kind, target.ids if target else {}, person.id, spare_shared=spare)
            if target is None:
                return None
        return target

    def _request(self, operation: str, person: Person, target: Thing | None) -> Request:
        described = self.operations[operation]
        ids = {f"{kind}_id": id_ for kind, id_ in (target.ids if target else {}).items()}
        request_id = f"{operation}.{next(self._numbers):06}"
        headers = {"Authorization": f"Bearer {person.token}", "X-Request-ID": request_id}
        if described.takes_key:
            headers["Idempotency-Key"] = request_id
        return Request(request_id, described, person, described.path.format(**ids), target, headers)

    def _fill(self, request: Request, given: Json) -> None:
        if request.operation.body is not None:
            request.body = self._maker.fields(request.operation.body, self._refer(request), given)

    def _refer(self, request: Request) -> Refer:
        def refer(kind: str) -> str | None:
            found = self.known.pick(kind, request.inside, request.person.id)
            return found.ids[kind] if found else None

        return refer

    def _learn(self, request: Request) -> None:
        person, answer = request.person, request.answer
        if request.target and request.status in {204, 404}:
            self.known.forget(request.target)
        if request.operation.answer is None or request.status not in {200, 201}:
            return
        if ids := ids_in(request.operation.answer, answer):
            self.known.learn(request.inside | ids, answer["version"], person.id)
        if list(ids) == ["workspace"]:
            self.known.learn(ids | {"user": person.id}, None, person.id)
        if request.operation.id == "create_invitation" and answer["token"] and answer["email"] in self.people:
            self.invited[answer["token"]] = answer["email"]
        if "access_token" in answer:
            person.token, person.refresh_token = answer["access_token"], answer["refresh_token"]


def _password(person: Person) -> Json:
    return {"grant_type": "password", "username": person.email, "password": PASSWORD}
