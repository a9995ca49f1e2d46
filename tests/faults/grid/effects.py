"""What comes of it elsewhere: mail, a webhook, a live stream, an import."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Any

import httpx2

from tests.streams import Events

from .journeys import Create, Journey
from .ledger import Answer
from .person import Person
from .stage import SETTLE_SECONDS


async def until_all(names: set[str], come: Any, seconds: float = SETTLE_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not names <= set(come()):
            await asyncio.sleep(0.05)


class Comment(Journey):
    """The mail to whom it mentions is a job's."""

    name = "comment"
    may_repeat_mail = False
    """With the same Message-ID: a worker that is killed may have sent it, and not have said so."""

    async def begin(self) -> None:
        await super().begin()
        self.mentioned = await self.stack.enter_async_context(Person(self.person.base_url))
        await self.mentioned.sign_up()
        path = f"/workspaces/{self.workspace}/invitations"
        invitation = await self.person.make(path, email=self.mentioned.email, role="member")
        await self.mentioned.make("/invitations/accept", token=invitation["token"])
        task = (await self.person.make(self.tasks, title="To talk about"))["id"]
        self.path = f"/tasks/{task}/comments"

    async def go(self) -> Answer:
        name = self._next()
        return await self._create(self.path, name, {"body": f"@{self.mentioned.name} {name}."})

    async def has_come(self) -> bool:
        return self.last in self.mails()

    def mails(self) -> dict[str, list[str]]:
        """The Message-IDs by what the mail is about."""
        found = defaultdict(list)
        for message in self.stage.sink.accepted:
            body = message.get_body(("plain",))
            text = body.get_content() if body else ""
            if message["To"] == self.mentioned.email and f"{self.slug}-" in text:
                number = text.partition(f"{self.slug}-")[2].partition(".")[0]
                found[f"{self.slug}-{number}"].append(message["Message-ID"])
        return found

    async def check(self) -> str:
        comments = await self.person.all(self.path)
        names = [each["body"].partition(" ")[2].removesuffix(".") for each in comments]
        told = self.ledger.check(names)
        await until_all(set(names), self.mails)
        await self.stage.until_no_jobs()
        mails = self.mails()
        assert mails.keys() == set(names)
        assert {len(set(ids)) for ids in mails.values()} == {1}
        again = sum(len(ids) - 1 for ids in mails.values())
        assert self.may_repeat_mail or again == 0
        return f"{told}; {len(mails)} letters" + (f", {again} of them twice" if again else ", each once")


class Webhook(Create):
    name = "webhook"

    async def begin(self) -> None:
        await super().begin()
        hooks = f"/workspaces/{self.workspace}/webhooks"
        await self.person.make(hooks, url=self.stage.receiver.url, events=["task.created"])

    async def has_come(self) -> bool:
        return self.last in self.deliveries()

    def deliveries(self) -> dict[str, set[str]]:
        """The `webhook-id`s by the title that they tell of."""
        found = defaultdict(set)
        for each in self.stage.receiver.received:
            if (title := each.data["after"]["title"]).startswith(self.slug):
                found[title].add(each.id)
        return found

    async def check(self) -> str:
        titles = await self._titles()
        told = self.ledger.check(titles)
        await until_all(set(titles), self.deliveries)
        found = self.deliveries()
        assert found.keys() == set(titles)
        assert {len(ids) for ids in found.values()} == {1}
        return f"{told}; each delivered"


class Stream(Create):
    """Somebody follows, and comes back after what was seen last whenever the stream ends."""

    name = "stream"

    async def begin(self) -> None:
        await super().begin()
        self.seen: list[int] = []
        self.titles: set[str] = set()
        self.connections = 0
        self._following = asyncio.create_task(self._follow())
        self.stack.push_async_callback(self._stop)

    async def _stop(self) -> None:
        self._following.cancel()
        await asyncio.wait({self._following})

    async def _follow(self) -> None:
        url = f"{self.person.base_url}/api/v1/workspaces/{self.workspace}/events"
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
            while True:
                headers = {"Authorization": f"Bearer {self.person.token}"}
                if self.seen:
                    headers["Last-Event-ID"] = str(self.seen[-1])
                with suppress(httpx2.TransportError, TimeoutError, StopAsyncIteration):
                    async with client.stream("GET", url, headers=headers) as answer:
                        assert answer.status_code in {200, 503}, await answer.aread()
                        if answer.status_code == httpx2.codes.OK:
                            self.connections += 1
                            await self._take(Events(answer))
                await asyncio.sleep(0.1)

    async def _take(self, events: Events) -> None:
        while True:
            told = await events.next()
            if told.type == "ready":
                continue
            self.seen.append(told.id)
            if told.data["type"] == "task.created":
                self.titles.add(told.data["after"]["title"])

    async def has_come(self) -> bool:
        return self.last in self.titles

    async def check(self) -> str:
        titles = set(await self._titles())
        told = self.ledger.check(titles)
        await until_all(titles, lambda: self.titles)
        if self._following.done():
            self._following.result()
        assert self.seen == list(range(self.seen[0], self.seen[0] + len(self.seen)))
        return f"{told}; {len(self.seen)} told without a gap, over {self.connections} connections"


class Import(Journey):
    """Of three rows each, which a worker reads."""

    name = "import"
    ROWS = 3

    async def begin(self) -> None:
        await super().begin()
        self.path = ""
        self.name_of_file = ""
        self.completed: set[str] = set()

    async def go(self) -> Answer:
        """A step of it: make it, send its file, or look how far it is."""
        if not self.path:
            self.name_of_file = self._next()
            made = await self.person.ask(
                "POST",
                f"/workspaces/{self.workspace}/imports",
                headers={"Idempotency-Key": self.name_of_file},
                json={"format": "csv", "project_id": self.project},
            )
            if made.is_good:
                self.path = f"/imports/{made.body['id']}"
            self._unsure = self.name_of_file if made.is_unknown else None
            return made
        answer = await self.person.ask("GET", self.path)
        if answer.is_good and answer.body["status"] == "awaiting_file":
            rows = [f"{self.name_of_file}.{number}" for number in range(self.ROWS)]
            content = "\n".join(["title", *rows]).encode()
            answer = await self.person.ask("PUT", f"{self.path}/file", content=content)
        if answer.is_good:
            assert answer.body["status"] != "failed", answer.body
            if answer.body["status"] == "completed":
                self.completed.add(self.name_of_file)
                self.path = ""
        return answer

    async def has_come(self) -> bool:
        """Go on until the one that is under way is completed."""
        if self.path:
            await self.go()
        return not self.path

    async def check(self) -> str:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not await self.has_come():
                await asyncio.sleep(0.1)
        assert self.completed
        wanted = [f"{name}.{number}" for name in self.completed for number in range(self.ROWS)]
        assert sorted(await self._titles()) == sorted(wanted)
        return f"{len(self.completed)} completed, each row there once"
