"""Nothing is taken but what the sender has signed, in these bytes, now, and once."""

import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hmac import digest
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.settings import Settings
from tests.factories.callers import Caller
from tests.factories.tracker import make_hook

from .senders import Github, Program, code_of, encoded, push, taken

pytestmark = pytest.mark.anyio

Events = Callable[[], Awaitable[list[str]]]
BODY = {"issue": {"title": "Größe"}}
LONG = timedelta(minutes=5, seconds=2)
SHORT = timedelta(minutes=4, seconds=50)


def flipped(body: bytes, place: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def rewritten(body: bytes) -> bytes:
    """The same document, as another program writes it."""
    return json.dumps(json.loads(body)).encode()


class TestGithub:
    @pytest.mark.parametrize("change", [lambda body: flipped(body, 20), rewritten, lambda body: body + b"\n"])
    async def test_other_bytes_are_refused(
        self, github: Github, task: dict[str, Any], events: Events, change: Callable[[bytes], bytes]
    ) -> None:
        body, before = encoded(push(f"Fixes {task['key']}")), await events()
        answer = await github.send(change(body), github.sign(body))
        assert code_of(answer) == (401, "INVALID_SIGNATURE")
        assert await events() == before
        assert taken(
            await github.send(body, github.sign(body)), completed=[task["key"]], linked=[task["key"]]
        )

    @pytest.mark.parametrize(
        "signature", ["", "sha256=", "sha256=00", "sha1=00", "ünicode", f"sha256={'0' * 64}"]
    )
    async def test_what_is_no_signature_is_refused(self, github: Github, signature: str) -> None:
        body = encoded(push("OPS-1"))
        headers: Any = github.sign(body) | {"X-Hub-Signature-256": signature.encode("latin-1")}
        answer = await github.send(body, headers)
        assert code_of(answer) == (401, "INVALID_SIGNATURE")

    async def test_of_another_hook_either(
        self, owner: Caller, workspace: dict[str, Any], github: Github
    ) -> None:
        other, body = Github(owner.client, await make_hook(owner, workspace)), encoded(push("OPS-1"))
        assert code_of(await github.send(body, other.sign(body))) == (401, "INVALID_SIGNATURE")
        assert taken(await other.send(body, other.sign(body)))

    @pytest.mark.parametrize("name", ["X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery"])
    async def test_says_which_header_is_missing(self, github: Github, name: str) -> None:
        body = encoded(push("OPS-1"))
        headers = {key: value for key, value in github.sign(body).items() if key != name}
        answer = await github.send(body, headers)
        assert code_of(answer) == (401, "INVALID_SIGNATURE")
        assert answer.json()["error"]["details"] == {"header": name.lower()}
        assert github.hook["secret"] not in answer.text

    async def test_an_id_is_taken_once(self, github: Github, task: dict[str, Any], events: Events) -> None:
        first, second = encoded(push(f"See {task['key']}")), encoded(push(f"Fixes {task['key']}"))
        assert taken(await github.send(first, github.sign(first, delivery="a")), linked=[task["key"]])
        before = await events()
        for body in (first, second):
            answer = await github.send(body, github.sign(body, delivery="a"))
            assert code_of(answer) == (409, "MESSAGE_REPEATED")
        assert await events() == before
        again = await github.send(second, github.sign(second, delivery="b"))
        assert taken(again, completed=[task["key"]], linked=[task["key"]])

    async def test_so_is_a_signature_whatever_the_id_that_comes_with_it(
        self, owner: Caller, github: Github, task: dict[str, Any]
    ) -> None:
        body = encoded(push(f"Fixes {task['key']}"))
        assert taken(
            await github.send(body, github.sign(body)), completed=[task["key"]], linked=[task["key"]]
        )
        await owner.delete(f"/tasks/{task['id']}/completion")
        for event in ("push", "pull_request", "issues"):
            assert code_of(await github.send(body, github.sign(body, event))) == (409, "MESSAGE_REPEATED")
        assert (await owner.get(f"/tasks/{task['id']}")).json()["status"] == "todo"

    async def test_a_ping_is_answered_however_often_it_comes(self, github: Github) -> None:
        body = encoded({"zen": "Keep it logically awesome."})
        for _ in range(2):
            assert taken(await github.send(body, github.sign(body, "ping", "same")))
        answer = await github.send(body, github.sign(body, "ping") | {"X-Hub-Signature-256": "sha256=0"})
        assert code_of(answer) == (401, "INVALID_SIGNATURE")


class TestProgram:
    @pytest.mark.parametrize("change", [lambda body: flipped(body, 20), rewritten, lambda body: body + b"\n"])
    async def test_other_bytes_are_refused(
        self, program: Program, events: Events, change: Callable[[bytes], bytes]
    ) -> None:
        body, before = encoded(BODY), await events()
        headers = program.sign(body)
        assert code_of(await program.send(change(body), headers)) == (401, "INVALID_SIGNATURE")
        assert await events() == before
        assert taken(await program.send(body, headers), created=["OPS-1"])

    @pytest.mark.parametrize("sign", [1, -1])
    async def test_an_old_timestamp_is_refused_and_so_is_one_to_come(
        self, program: Program, events: Events, sign: int
    ) -> None:
        body, before = encoded(BODY), await events()
        answer = await program.send(body, program.sign(body, "a", sign * LONG))
        assert code_of(answer) == (401, "STALE_MESSAGE")
        assert await events() == before
        assert taken(await program.send(body, program.sign(body, "a", sign * SHORT)), created=["OPS-1"])

    async def test_another_timestamp_is_not_signed(self, program: Program) -> None:
        body = encoded(BODY)
        headers, later = program.sign(body), program.sign(body, age=timedelta(seconds=-9))
        answer = await program.send(body, headers | {"webhook-timestamp": later["webhook-timestamp"]})
        assert code_of(answer) == (401, "INVALID_SIGNATURE")

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    @pytest.mark.parametrize("value", [None, ""])
    async def test_says_which_header_is_missing(self, program: Program, name: str, value: str | None) -> None:
        body = encoded(BODY)
        headers = {key: text for key, text in program.sign(body).items() if key != name}
        answer = await program.send(body, headers | ({} if value is None else {name: value}))
        assert code_of(answer) == (401, "INVALID_SIGNATURE")
        if value is None:
            assert answer.json()["error"]["details"] == {"header": name}

    async def test_or_no_number_or_too_long(self, program: Program) -> None:
        body = encoded(BODY)
        for headers, name in (
            (program.sign(body) | {"webhook-timestamp": "now"}, "webhook-timestamp"),
            (program.sign(body, "m" * 256), "webhook-id"),
        ):
            answer = await program.send(body, headers)
            assert answer.json()["error"]["details"] == {"header": name}
        assert taken(await program.send(body, program.sign(body, "m" * 255)), created=["OPS-1"])

    async def test_an_id_is_taken_once_whatever_comes_with_it(self, program: Program, events: Events) -> None:
        body, other = encoded(BODY), encoded({"issue": {"title": "Another"}})
        assert taken(await program.send(body, program.sign(body, "a")), created=["OPS-1"])
        before = await events()
        for each in (body, other):
            answer = await program.send(each, program.sign(each, "a", timedelta(seconds=5)))
            assert code_of(answer) == (409, "MESSAGE_REPEATED")
        assert await events() == before
        assert taken(await program.send(body, program.sign(body, "b")), created=["OPS-2"])

    async def test_one_of_several_signatures_is_enough(self, program: Program) -> None:
        body = encoded(BODY)
        headers = program.sign(body)
        good, bad = headers["webhook-signature"], "v1,AAAA"
        for signatures in (f"{bad} v2,x {good}", f"{good} {bad}"):
            headers = program.sign(body)
            name = "webhook-signature"
            answer = await program.send(body, headers | {name: signatures.replace(good, headers[name])})
            assert answer.status_code == 200
        answer = await program.send(body, program.sign(body) | {"webhook-signature": f"{bad} {bad}"})
        assert code_of(answer) == (401, "INVALID_SIGNATURE")


class TestRotation:
    async def test_the_secret_before_is_taken_for_a_day(
        self, owner: Caller, database: Database, github: Github
    ) -> None:
        renewed = (await owner.post(f"/hooks/{github.hook['id']}/secret")).json()
        new, stranger = Github(owner.client, renewed), Github(owner.client, renewed | {"secret": "s" * 43})
        assert renewed["secret"] != github.hook["secret"]
        assert taken(await github.push("OPS-1"))
        assert taken(await new.push("OPS-1"))
        assert code_of(await stranger.push("OPS-1")) == (401, "INVALID_SIGNATURE")
        async with database.system_transaction() as session:
            await session.execute(text("UPDATE hooks SET previous_until = now() - interval '1 second'"))
        assert code_of(await github.push("OPS-1")) == (401, "INVALID_SIGNATURE")
        assert taken(await new.push("OPS-1"))

    async def test_a_message_signed_with_both_is_one(self, owner: Caller, program: Program) -> None:
        renewed = (await owner.post(f"/hooks/{program.hook['id']}/secret")).json()
        body = encoded(BODY)
        both = [Program(owner.client, hook).sign(body, "a") for hook in (program.hook, renewed)]
        signatures = " ".join(each["webhook-signature"] for each in both)
        headers = both[0] | {"webhook-signature": signatures}
        assert taken(await program.send(body, headers), created=["OPS-1"])
        assert code_of(await program.send(body, both[1])) == (409, "MESSAGE_REPEATED")

    async def test_with_another_one_only_the_last_two_are_taken(
        self, owner: Caller, program: Program
    ) -> None:
        path = f"/hooks/{program.hook['id']}/secret"
        hooks = [program.hook, (await owner.post(path)).json(), (await owner.post(path)).json()]
        answers = [await Program(owner.client, hook).tell(BODY) for hook in hooks]
        assert [answer.status_code for answer in answers] == [401, 200, 200]


async def test_a_secret_may_be_the_senders_own(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    given = "hübsch lang genug"
    github = Github(owner.client, await make_hook(owner, workspace, secret=given))
    assert github.hook["secret"] == given
    assert taken(await github.push("OPS-1"))
    known = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    fields = {"kind": "json", "project_id": project["id"], "mapping": {"title": "/t"}, "secret": known}
    program = Program(owner.client, await make_hook(owner, workspace, **fields))
    body = b'{"t":"T"}'
    headers = program.sign(body)
    assert Webhook(known).verify(body.decode(), headers) == {"t": "T"}
    assert taken(await program.send(body, headers), created=["OPS-1"])


class TestUnknown:
    async def test_there_is_no_such_hook(self, owner: Caller, github: Github) -> None:
        nowhere = Github(owner.client, github.hook | {"id": str(uuid7())})
        assert code_of(await nowhere.push("OPS-1")) == (404, "HOOK_NOT_FOUND")
        assert taken(await github.push("OPS-1"))

    @pytest.mark.parametrize("path", ["/hooks/{id}", "/workspaces/{workspace_id}"])
    async def test_or_no_longer(self, owner: Caller, github: Github, path: str) -> None:
        assert taken(await github.push("OPS-1"))
        await owner.delete(path.format(**github.hook))
        assert code_of(await github.push("OPS-1")) == (404, "HOOK_NOT_FOUND")

    async def test_another_hook_has_ids_of_its_own(
        self, owner: Caller, workspace: dict[str, Any], program: Program
    ) -> None:
        fields = {name: program.hook[name] for name in ("kind", "name", "project_id", "mapping")}
        other, body = Program(owner.client, await make_hook(owner, workspace, **fields)), encoded(BODY)
        answers = [await each.send(body, each.sign(body, "a")) for each in (program, other)]
        assert [taken(answers[0], created=["OPS-1"]), taken(answers[1], created=["OPS-2"])]


class TestBodies:
    async def test_a_large_one_is_refused_before_it_is_read(self, github: Github, settings: Settings) -> None:
        limit = settings.max_body_bytes
        for size, due in ((limit + 1, 413), (limit, 401)):
            answer = await github.send(b" " * size, github.sign(b""))
            assert answer.status_code == due

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"{", b"nothing", b"\xff", b'{"a": NaN}', b"[" * 5000, b'"\\ud800"'),
            b"payload=%7B%7D",
        ],
    )
    async def test_what_is_no_json_is_refused_though_signed(
        self, github: Github, program: Program, body: bytes
    ) -> None:
        assert code_of(await github.send(body, github.sign(body))) == (400, "MALFORMED_REQUEST")
        signature = {"webhook-signature": signed_bytes(program, body)}
        answer = await program.send(body, program.sign(b"", "a") | signature)
        assert code_of(answer) == (400, "MALFORMED_REQUEST")

    async def test_what_was_refused_may_be_sent_again(self, program: Program) -> None:
        bad, good = encoded({"issue": {}}), encoded(BODY)
        assert (await program.send(bad, program.sign(bad, "a"))).status_code == 422
        assert taken(await program.send(good, program.sign(good, "a")), created=["OPS-1"])


def signed_bytes(program: Program, body: bytes) -> str:
    """The library signs text only."""
    timestamp = program.sign(b"", "a")["webhook-timestamp"]
    key = b64decode(program.hook["secret"].removeprefix("whsec_"))
    return "v1," + b64encode(digest(key, f"a.{timestamp}.".encode() + body, "sha256")).decode()


async def test_one_that_is_no_signature_of_ours_tells_no_secret(github: Github, program: Program) -> None:
    answers: list[Response] = [
        await github.send(b"{}", github.sign(b"x")),
        await program.send(b"{}", program.sign(b"x")),
    ]
    for answer, sender in zip(answers, (github, program), strict=True):
        assert answer.headers["WWW-Authenticate"]
        assert sender.hook["secret"] not in f"{answer.headers}{answer.text}"
