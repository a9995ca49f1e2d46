"""What people do all day: each can be done again and again, and says in the end what is there of it."""

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Any, ClassVar

from .ledger import Answer, Ledger
from .person import Person
from .stage import Stage


class Journey(ABC):
    """In a workspace of its own."""

    name: ClassVar[str]

    def __init__(self, stage: Stage, person: Person, stack: AsyncExitStack) -> None:
        """What it holds it leaves to the stack."""
        self.stage = stage
        self.person = person
        self.stack = stack
        self.ledger = Ledger()
        self._number = 0
        self._unsure: str | None = None
        self.last = ""
        """The name of what was acknowledged last."""

    async def begin(self) -> None:
        slug = f"w{token_hex(8)}"
        self.workspace = (await self.person.make("/workspaces", name=self.name, slug=slug))["id"]
        project = await self.person.make(f"/workspaces/{self.workspace}/projects", name="P", key="OPS")
        self.project = project["id"]
        self.tasks = f"/projects/{self.project}/tasks"
        self.slug = slug

    @abstractmethod
    async def go(self) -> Answer:
        """Do it once."""

    async def has_come(self) -> bool:
        """Whether what was acknowledged last has had its effect elsewhere."""
        return True

    @abstractmethod
    async def check(self) -> str:
        """Return what holds, when no fault is left."""

    def _next(self) -> str:
        """The name of what is asked for now: once more, where nobody knows what became of it."""
        self._number += 1
        return self._unsure or f"{self.slug}-{self._number}"

    def _note(self, name: str, answer: Answer) -> Answer:
        self.ledger.note(name, answer)
        self._unsure = name if name in self.ledger.unknown else None
        if answer.is_good:
            self.last = name
        return answer

    async def _create(self, path: str, key: str, body: dict[str, Any]) -> Answer:
        return self._note(
            key, await self.person.ask("POST", path, headers={"Idempotency-Key": key}, json=body)
        )

    async def _titles(self) -> list[str]:
        return [task["title"] for task in await self.person.all(self.tasks)]


class SignIn(Journey):
    name = "sign in"

    async def begin(self) -> None:
        self.somebody = await self.stack.enter_async_context(Person(self.person.base_url))
        await self.somebody.sign_up()
        self.tokens = [self.somebody.token]
        self.open = 0

    async def go(self) -> Answer:
        answer = await self.somebody.sign_in()
        if answer.is_good:
            self.tokens.append(answer.body["access_token"])
        self.open += answer.is_unknown
        return answer

    async def check(self) -> str:
        for token in self.tokens:
            self.somebody.token = token
            assert (await self.somebody.ask("GET", "/users/me")).is_good
        sessions = len(await self.somebody.all("/auth/sessions"))
        assert len(self.tokens) <= sessions <= len(self.tokens) + self.open
        return f"{len(self.tokens)} sessions, all of them good"


class Read(Journey):
    name = "read"

    async def begin(self) -> None:
        await super().begin()
        self.task = await self.person.make(self.tasks, title="As it is", description="All of it")

    async def go(self) -> Answer:
        answer = await self.person.ask("GET", f"/tasks/{self.task['id']}")
        assert not answer.is_good or answer.body == self.task
        return answer

    async def check(self) -> str:
        assert (await self.go()).is_good
        return "each answer the whole task"


class Search(Journey):
    name = "search"

    async def begin(self) -> None:
        await super().begin()
        for title in ("A needle", "Hay"):
            await self.person.make(self.tasks, title=title)

    async def go(self) -> Answer:
        answer = await self.person.ask("GET", f"/workspaces/{self.workspace}/tasks", params={"q": "needle"})
        assert not answer.is_good or [task["title"] for task in answer.body["items"]] == ["A needle"]
        return answer

    async def check(self) -> str:
        assert (await self.go()).is_good
        return "each answer the one task"


class Create(Journey):
    name = "create"

    async def go(self) -> Answer:
        name = self._next()
        return await self._create(self.tasks, name, {"title": name})

    async def check(self) -> str:
        return self.ledger.check(await self._titles())


class Edit(Journey):
    name = "edit"

    async def begin(self) -> None:
        await super().begin()
        self.task = await self.person.make(self.tasks, title="0")
        self.version: int = self.task["version"]
        self.title = "0"

    async def go(self) -> Answer:
        path = f"/tasks/{self.task['id']}"
        if self._unsure:
            seen = await self.person.ask("GET", path)
            if seen.is_good:
                assert seen.body["title"] in {self.title, self._unsure}
                self.version, self.title, self._unsure = seen.body["version"], seen.body["title"], None
            return seen
        name = self._next()
        etag = {"If-Match": f'"{self.version}"'}
        answer = self._note(name, await self.person.ask("PATCH", path, headers=etag, json={"title": name}))
        if answer.is_good:
            assert answer.body["version"] == self.version + 1
            self.version, self.title = answer.body["version"], name
        return answer

    async def check(self) -> str:
        while self._unsure:
            await self.go()
        seen = (await self.person.ask("GET", f"/tasks/{self.task['id']}")).body
        assert (seen["version"], seen["title"]) == (self.version, self.title)
        edits, open_ = len(self.ledger.done), len(self.ledger.unknown)
        assert edits <= self.version - 1 <= edits + open_
        return f"{edits} edits, a version each" + (f"; {open_} left open" if open_ else "")


class Download(Journey):
    name = "download"
    CONTENT = b"as it was" * 20_000

    async def begin(self) -> None:
        await super().begin()
        task = (await self.person.make(self.tasks, title="With a file"))["id"]
        made = await self.person.ask(
            "PUT", f"/tasks/{task}/attachments", params={"name": "file"}, content=self.CONTENT
        )
        assert made.is_good, made
        self.path = f"/attachments/{made.body['id']}/content"

    async def go(self) -> Answer:
        answer = await self.person.ask("GET", self.path)
        assert not answer.is_good or answer.content == self.CONTENT
        return answer

    async def check(self) -> str:
        assert (await self.go()).is_good
        return "each answer the whole file"


class Upload(Journey):
    name = "upload"

    async def begin(self) -> None:
        await super().begin()
        task = (await self.person.make(self.tasks, title="With files"))["id"]
        self.path = f"/tasks/{task}/attachments"

    async def go(self) -> Answer:
        name = self._next()
        content = name.encode() * 1000
        return self._note(
            name, await self.person.ask("PUT", self.path, params={"name": name}, content=content)
        )

    async def check(self) -> str:
        return self.ledger.check([each["name"] for each in await self.person.all(self.path)])


class Health(Journey):
    name = "health"

    async def begin(self) -> None:
        self.looks = 0

    async def go(self) -> Answer:
        """What `/ready` says; `/health` always says the same."""
        health = await self.person.ask("GET", "/health")
        assert health.is_good, health
        self.looks += 1
        ready = await self.person.ask("GET", "/ready")
        return Answer(ready.status, max(health.seconds, ready.seconds), ready.body)

    async def check(self) -> str:
        return f"`/health` was 200 {self.looks} times of {self.looks}"
