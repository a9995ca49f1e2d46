"""Files on their way in."""

import asyncio
from asyncio import gather
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core import receiving
from glasswork.features.workspaces.models import Role
from tests.conftest import UPLOAD_LIMIT
from tests.factories.callers import Caller, Callers
from tests.factories.files import PDF, make_attachment, put_file
from tests.factories.tracker import make_task
from tests.features.workspaces.roles import by_role, with_role
from tests.features.workspaces.waiting import start

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

LeftOver = Callable[[], Awaitable[tuple[int, int]]]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestRefusals:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_files_are_for_those_who_work_there(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        left_over: LeftOver,
        role: Role,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await put_file(caller, task)).status_code == status
        kept = int(status == 201)
        assert await left_over() == (kept, kept)

    async def test_a_stranger_finds_no_task(
        self, callers: Callers, task: dict[str, Any], left_over: LeftOver
    ) -> None:
        assert code(await put_file(await callers.user(), task)) == (404, "TASK_NOT_FOUND")
        assert await left_over() == (0, 0)

    @pytest.mark.parametrize(
        "name",
        ["../../x", "..", ".", "a/b", "a\\b", "a\x00b", "a\nb", " a", "x" * 256, "", "a\u202eb"],
    )
    async def test_a_name_is_one_of_a_file(
        self, owner: Caller, task: dict[str, Any], left_over: LeftOver, name: str
    ) -> None:
        answer = await put_file(owner, task, name)
        assert code(answer) == (422, "VALIDATION_ERROR")
        assert answer.json()["error"]["details"]["errors"][0]["loc"] == ["query", "name"]
        assert await left_over() == (0, 0)

    @pytest.mark.parametrize("name", ["CON", "Übersicht 2026.pdf", "x" * 255, "a'b\"c", "😀", "-rf"])
    async def test_but_any(self, owner: Caller, task: dict[str, Any], name: str) -> None:
        attachment = await make_attachment(owner, task, name=name)
        assert attachment["name"] == name
        download = await owner.get(f"/attachments/{attachment['id']}/content")
        assert download.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")

    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_a_file_has_an_end(
        self,
        owner: Caller,
        task: dict[str, Any],
        left_over: LeftOver,
        is_declared: bool,
    ) -> None:
        async def twice_the_limit() -> AsyncIterator[bytes]:
            for _ in range(8):
                yield bytes(UPLOAD_LIMIT // 4)

        content = bytes(2 * UPLOAD_LIMIT) if is_declared else twice_the_limit()
        assert code(await put_file(owner, task, content=content)) == (413, "PAYLOAD_TOO_LARGE")
        assert await left_over() == (0, 0)
        assert (await put_file(owner, task, content=bytes(UPLOAD_LIMIT))).status_code == 201

    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_a_workspace_has_a_quota(
        self,
        owner: Caller,
        task: dict[str, Any],
        left_over: LeftOver,
        change_settings: Callable[..., None],
        is_declared: bool,
    ) -> None:
        async def in_parts() -> AsyncIterator[bytes]:
            yield PDF

        change_settings(workspace_quota_bytes=len(PDF))
        await make_attachment(owner, task)
        content = PDF if is_declared else in_parts()
        answer = await put_file(owner, task, "more.pdf", content)
        assert code(answer) == (507, "QUOTA_EXCEEDED")
        assert answer.json()["error"]["details"] == {"used": len(PDF), "quota": len(PDF)}
        assert await left_over() == (1, 1)

    async def test_what_is_replaced_takes_no_room(
        self, owner: Caller, task: dict[str, Any], change_settings: Callable[..., None]
    ) -> None:
        change_settings(workspace_quota_bytes=len(PDF) + 10)
        await make_attachment(owner, task, content=PDF)

        async def in_parts() -> AsyncIterator[bytes]:
            yield PDF + b"0123456789"

        assert (await put_file(owner, task, content=in_parts())).status_code == 200

    async def test_a_sender_who_falls_silent_is_not_waited_for(
        self, owner: Caller, task: dict[str, Any], left_over: LeftOver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def silent() -> AsyncIterator[bytes]:
            yield PDF
            await asyncio.Event().wait()

        monkeypatch.setattr(receiving, "IDLE_SECONDS", 0.1)
        assert code(await put_file(owner, task, content=silent())) == (408, "REQUEST_TIMEOUT")
        assert await left_over() == (0, 0)

    async def test_who_may_send_none_need_not_begin(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def silent() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield PDF

        monkeypatch.setattr(receiving, "IDLE_SECONDS", 0.1)
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        assert code(await put_file(viewer, task, content=silent())) == (403, "PERMISSION_DENIED")

    async def test_nor_is_one_who_never_ends(
        self, owner: Caller, task: dict[str, Any], left_over: LeftOver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def dripping() -> AsyncIterator[bytes]:
            while True:
                yield b"drop"
                await asyncio.sleep(0.01)

        monkeypatch.setattr(receiving, "UPLOAD_SECONDS", 0.2)
        assert code(await put_file(owner, task, content=dripping())) == (408, "REQUEST_TIMEOUT")
        assert await left_over() == (0, 0)


class TestPut:
    async def test_what_is_kept_is_what_was_sent(self, owner: Caller, task: dict[str, Any]) -> None:
        answer = await put_file(owner, task, content=PDF, content_type="text/html")
        attachment = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/api/v1/attachments/{attachment['id']}"
        assert answer.headers["ETag"] == '"1"'
        told = {name: attachment[name] for name in ("name", "size", "sha256", "media_type", "task_id")}
        assert told == {
            "name": "report.pdf",
            "size": len(PDF),
            "sha256": sha256(PDF).hexdigest(),
            "media_type": "application/pdf",
            "task_id": task["id"],
        }
        download = await owner.get(f"/attachments/{attachment['id']}/content")
        assert download.content == PDF

    async def test_an_empty_file_is_one(self, owner: Caller, task: dict[str, Any]) -> None:
        attachment = await make_attachment(owner, task, content=b"")
        assert (attachment["size"], attachment["media_type"]) == (0, "application/octet-stream")
        assert (await owner.get(f"/attachments/{attachment['id']}/content")).content == b""

    async def test_sent_again_it_changes_nothing(
        self, owner: Caller, task: dict[str, Any], left_over: LeftOver
    ) -> None:
        first = await make_attachment(owner, task)
        again = await put_file(owner, task)
        assert (again.status_code, again.json(), again.headers["ETag"]) == (200, first, '"1"')
        assert await left_over() == (1, 1)

    async def test_another_content_is_another_version(self, owner: Caller, task: dict[str, Any]) -> None:
        first = await make_attachment(owner, task)
        answer = await put_file(owner, task, content=b"words")
        second = answer.json()
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
        assert (second["id"], second["media_type"]) == (first["id"], "text/plain; charset=utf-8")
        assert (await owner.get(f"/attachments/{first['id']}/content")).content == b"words"

    @pytest.mark.parametrize(
        ("header", "value", "expected"),
        [
            ("if_none_match", "*", (412, "NAME_TAKEN")),
            ("if_match", '"2"', (412, "STALE_VERSION")),
            ("if_match", '"1"', (200, None)),
        ],
    )
    async def test_it_replaces_what_its_sender_means(
        self,
        owner: Caller,
        task: dict[str, Any],
        attachment: dict[str, Any],
        header: str,
        value: str,
        expected: tuple[int, str | None],
    ) -> None:
        answer = await put_file(owner, task, content=b"words", **{header: value})
        assert (answer.status_code, answer.json().get("error", {}).get("code")) == expected
        now = (await owner.get(f"/attachments/{attachment['id']}/content")).content
        assert now == (PDF if expected[0] == 412 else b"words")

    async def test_what_is_not_there_cannot_be_replaced(self, owner: Caller, task: dict[str, Any]) -> None:
        assert code(await put_file(owner, task, if_match='"1"')) == (412, "NAME_FREE")
        assert (await put_file(owner, task, if_none_match="*")).status_code == 201


class TestRaces:
    @pytest.fixture
    def callers(self, committing_callers: Callers) -> Callers:
        return committing_callers

    @pytest.fixture
    def app(self, committing_app: FastAPI) -> FastAPI:
        return committing_app

    async def test_twenty_do_not_pass_the_quota(
        self, owner: Caller, task: dict[str, Any], change_settings: Callable[..., None]
    ) -> None:
        change_settings(workspace_quota_bytes=5 * len(PDF))
        answers = await gather(*(put_file(owner, task, f"{number}.pdf") for number in range(20)))
        assert sorted(answer.status_code for answer in answers) == [201] * 5 + [507] * 15
        listed = (await owner.get(f"/tasks/{task['id']}/attachments")).json()["items"]
        assert len(listed) == 5

    @pytest.mark.parametrize(
        ("change", "status"),
        [("UPDATE attachments SET version = version + 1", 200), ("DELETE FROM attachments", 201)],
    )
    async def test_what_changes_meanwhile_is_waited_for(
        self, owner: Caller, task: dict[str, Any], callers: Callers, change: str, status: int
    ) -> None:
        await make_attachment(owner, task)
        async with callers.database.system_transaction() as session:
            await session.execute(text(change))
            putting = await start(callers.database, put_file(owner, task, content=b"words"))
        assert (await putting).status_code == status

    async def test_of_two_with_one_name_the_second_replaces(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        task = await make_task(owner, project)
        answers = await gather(*(put_file(owner, task, content=b"%d" % number) for number in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        (left,) = (await owner.get(f"/tasks/{task['id']}/attachments")).json()["items"]
        assert left["version"] == 8
