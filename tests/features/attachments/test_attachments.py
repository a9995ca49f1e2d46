"""Files that are there: seen, downloaded, linked to, deleted, and swept away."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.clock import now
from glasswork.core.db import Database
from glasswork.core.jobs import EventRef, Nothing
from glasswork.core.storage import key_of
from glasswork.features.attachments.jobs import MAKE_THUMBNAIL, SWEEP
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.files import PDF, make_attachment, picture, put_file
from tests.factories.tracker import make_task
from tests.factories.work import make_work
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

Attachment = dict[str, Any]
LeftOver = Callable[[], Awaitable[tuple[int, int]]]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def make_thumbnail(app: FastAPI, database: Database, attachment: Attachment) -> None:
    event = EventRef(id=UUID(int=0), workspace_id=None, subject_id=UUID(attachment["id"]))
    await MAKE_THUMBNAIL.run(make_work(app, database), event)


class TestRefusals:
    @pytest.mark.parametrize("part", ["", "/content", "/thumbnail", "/link"])
    async def test_a_stranger_sees_nothing(
        self, callers: Callers, workspace: dict[str, Any], attachment: Attachment, part: str
    ) -> None:
        path = f"/attachments/{attachment['id']}{part}"
        stranger, member = await callers.user(), await callers.member(workspace["id"], Role.VIEWER)
        assert code(await stranger.get(path)) == (404, "ATTACHMENT_NOT_FOUND")
        known = await member.get(path)
        assert known.status_code == (404 if part == "/thumbnail" else 200)

    @by_role(viewer=403, member=204, admin=204, owner=204)
    async def test_to_delete_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], attachment: Attachment, role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(f"/attachments/{attachment['id']}")).status_code == status

    async def test_a_stranger_deletes_nothing(
        self, callers: Callers, owner: Caller, attachment: Attachment
    ) -> None:
        path = f"/attachments/{attachment['id']}"
        assert (await (await callers.user()).delete(path)).status_code == 404
        assert (await owner.get(path)).status_code == 200

    async def test_a_stale_etag_deletes_nothing(self, owner: Caller, attachment: Attachment) -> None:
        path = f"/attachments/{attachment['id']}"
        assert (await owner.delete(path, if_match='"2"')).status_code == 412
        assert (await owner.delete(path, if_match='"1"')).status_code == 204
        assert code(await owner.get(path)) == (404, "ATTACHMENT_NOT_FOUND")

    @pytest.mark.parametrize("of", ["tasks", "projects"])
    async def test_files_hide_and_come_back_with_what_they_belong_to(
        self, owner: Caller, task: dict[str, Any], attachment: Attachment, of: str
    ) -> None:
        thing = f"/{of}/{task['id'] if of == 'tasks' else task['project_id']}"
        await owner.delete(thing)
        for part in ("", "/content"):
            assert (await owner.get(f"/attachments/{attachment['id']}{part}")).status_code == 404
        if of == "tasks":
            await owner.post(f"{thing}/restore")
            assert (await owner.get(f"/attachments/{attachment['id']}/content")).content == PDF


async def test_a_list_is_that_of_the_task(
    owner: Caller, callers: Callers, project: dict[str, Any], task: dict[str, Any]
) -> None:
    for name in ("b", "a", "c"):
        await make_attachment(owner, task, name=name)
    await make_attachment(owner, await make_task(owner, project))
    path = f"/tasks/{task['id']}/attachments"
    page = (await owner.get(path, sort="-name", limit=2)).json()
    rest = (await owner.get(path, sort="-name", limit=2, cursor=page["next_cursor"])).json()
    assert [item["name"] for item in (*page["items"], *rest["items"])] == ["c", "b", "a"]
    assert (await (await callers.user()).get(path)).status_code == 404


class TestDownload:
    @pytest.mark.parametrize(
        ("wanted", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=10-", 10, None),
            ("bytes=-5", -5, None),
            ("bytes=10-99999999", 10, None),
            ("bytes=-99999999", 0, None),
        ],
    )
    async def test_of_a_range(
        self, owner: Caller, attachment: Attachment, wanted: str, start: int, end: int | None
    ) -> None:
        answer = await owner.request(
            "GET", f"/attachments/{attachment['id']}/content", headers={"range": wanted}
        )
        assert (answer.status_code, answer.content) == (206, PDF[start:end])
        first = start % len(PDF)
        last = first + len(answer.content) - 1
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(PDF)}"

    @pytest.mark.parametrize(
        "wanted", ["bytes=0-1,4-5", "bytes=-", "lines=1-2", "bytes=5-2", "bytes=x-y", "bytes=1-2;"]
    )
    async def test_of_what_is_no_single_range_is_whole(
        self, owner: Caller, attachment: Attachment, wanted: str
    ) -> None:
        answer = await owner.request(
            "GET", f"/attachments/{attachment['id']}/content", headers={"range": wanted}
        )
        assert (answer.status_code, answer.content) == (200, PDF)

    @pytest.mark.parametrize("wanted", [f"bytes={len(PDF)}-", "bytes=-0"])
    async def test_of_what_is_not_there_is_refused(
        self, owner: Caller, attachment: Attachment, wanted: str
    ) -> None:
        path = f"/attachments/{attachment['id']}/content"
        answer = await owner.request("GET", path, headers={"range": wanted})
        assert code(answer) == (416, "RANGE_NOT_SATISFIABLE")
        assert answer.headers["Content-Range"] == f"bytes */{len(PDF)}"

    async def test_goes_on_only_with_the_same_content(
        self, owner: Caller, task: dict[str, Any], attachment: Attachment
    ) -> None:
        path = f"/attachments/{attachment['id']}/content"
        etag = (await owner.get(path)).headers["ETag"]
        rest = {"range": "bytes=10-", "if_range": etag}
        assert (await owner.request("GET", path, headers=rest)).status_code == 206
        assert (await owner.request("GET", path, headers={"if_none_match": etag})).status_code == 304
        await put_file(owner, task, content=b"other words")
        answer = await owner.request("GET", path, headers=rest)
        assert (answer.status_code, answer.content) == (200, b"other words")
        assert (await owner.request("GET", path, headers={"if_none_match": etag})).status_code == 200

    @pytest.mark.parametrize(
        ("content", "kept_as"),
        [
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", None),
            (b"<!doctype html><script>alert(1)</script>", None),
            (b"GIF89a/*<script>alert(1)</script>", None),
            (b"\xef\xbb\xbf<html>", None),
            (picture(8), "image/png"),
        ],
    )
    async def test_is_never_carried_out_by_a_browser(
        self, owner: Caller, task: dict[str, Any], content: bytes, kept_as: str | None
    ) -> None:
        answer = await put_file(owner, task, "picture.png", content, content_type="image/png")
        assert answer.json()["media_type"] == (kept_as or "application/octet-stream")
        download = await owner.get(f"/attachments/{answer.json()['id']}/content")
        assert download.headers["Content-Type"] == (kept_as or "application/octet-stream")
        assert download.headers["Content-Disposition"].startswith("attachment;")
        assert download.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in download.headers["Content-Security-Policy"]

    @pytest.mark.alone
    async def test_of_bytes_that_are_gone_says_so(
        self, owner: Caller, attachment: Attachment, database: Database, folder: Path
    ) -> None:
        async with database.reading() as session:
            found = await session.execute(text("SELECT object_id FROM attachments"))
            (folder / key_of(found.scalar_one())).unlink()
        answer = await owner.get(f"/attachments/{attachment['id']}/content")
        assert code(answer) == (503, "SERVICE_UNAVAILABLE")


class TestLink:
    async def link(self, owner: Caller, attachment: Attachment, **query: Any) -> str:
        answer = await owner.get(f"/attachments/{attachment['id']}/link", **query)
        assert answer.headers["Cache-Control"] == "no-store"
        url: str = answer.json()["url"]
        return url.partition("8000")[2]

    async def test_lets_anybody_download(self, owner: Caller, attachment: Attachment) -> None:
        answer = await owner.client.get(await self.link(owner, attachment), headers={"Range": "bytes=0-3"})
        assert (answer.status_code, answer.content) == (206, b"%PDF")

    @pytest.mark.parametrize("seconds", [59, 604_801])
    async def test_lasts_for_a_while(self, owner: Caller, attachment: Attachment, seconds: int) -> None:
        answer = await owner.get(f"/attachments/{attachment['id']}/link", seconds=seconds)
        assert answer.status_code == 422

    @pytest.mark.parametrize(
        "case",
        [
            "made up",
            "changed",
            "deleted",
            "of a gone task",
            "of a gone project",
            "of a gone workspace",
            "expired",
        ],
    )
    async def test_that_does_not_stand_leads_nowhere(
        self,
        owner: Caller,
        task: dict[str, Any],
        attachment: Attachment,
        case: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = await self.link(owner, attachment, seconds=60)
        assert (await owner.client.get(path)).status_code == 200
        match case:
            case "made up":
                path = "/api/v1/files/abc"
            case "changed":
                path = path[:-6] + "AAAAAA"
            case "deleted":
                await owner.delete(f"/attachments/{attachment['id']}")
            case "of a gone task":
                await owner.delete(f"/tasks/{task['id']}")
            case "of a gone project":
                await owner.delete(f"/projects/{task['project_id']}")
            case "of a gone workspace":
                await owner.delete(f"/workspaces/{task['workspace_id']}")
            case "expired":
                later = now() + timedelta(seconds=61)
                monkeypatch.setattr("glasswork.features.attachments.service.now", lambda: later)
        assert code(await owner.client.get(path)) == (404, "LINK_NOT_FOUND")


class TestThumbnail:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
    async def test_is_made_of_a_picture(
        self, app: FastAPI, database: Database, owner: Caller, task: dict[str, Any], kind: str
    ) -> None:
        attachment = await make_attachment(owner, task, name="a", content=picture(600, kind))
        path = f"/attachments/{attachment['id']}"
        assert code(await owner.get(f"{path}/thumbnail")) == (404, "THUMBNAIL_NOT_FOUND")
        await make_thumbnail(app, database, attachment)
        answer = await owner.get(f"{path}/thumbnail")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
        assert answer.content[:4] == b"RIFF"
        now = (await owner.get(path)).json()
        assert (now["has_thumbnail"], now["version"]) == (True, 2)
        await make_thumbnail(app, database, attachment)
        assert (await owner.get(path)).json() == now

    async def test_goes_with_the_content(
        self, app: FastAPI, database: Database, owner: Caller, task: dict[str, Any]
    ) -> None:
        attachment = await make_attachment(owner, task, content=picture())
        await make_thumbnail(app, database, attachment)
        assert (await put_file(owner, task, content=PDF)).json()["has_thumbnail"] is False

    @pytest.mark.parametrize(
        "content", [PDF, picture()[:200], picture()[:30] + b"\xff\xff\xff\xff" + picture()[34:]]
    )
    async def test_is_not_made_of_anything_else(
        self, app: FastAPI, database: Database, owner: Caller, task: dict[str, Any], content: bytes
    ) -> None:
        attachment = await make_attachment(owner, task, content=content)
        await make_thumbnail(app, database, attachment)
        assert (await owner.get(f"/attachments/{attachment['id']}")).json()["has_thumbnail"] is False


class TestSweep:
    async def sweep(self, app: FastAPI, database: Database) -> None:
        async with database.system_transaction() as session:
            older = "UPDATE stored_objects SET announced_at = announced_at - interval '25 hours'"
            await session.execute(text(older))
        await SWEEP.run(make_work(app, database), Nothing())

    @pytest.mark.alone
    async def test_takes_what_nothing_refers_to(
        self, app: FastAPI, database: Database, owner: Caller, task: dict[str, Any], left_over: LeftOver
    ) -> None:
        kept = await make_attachment(owner, task, content=picture())
        await make_thumbnail(app, database, kept)
        gone = await make_attachment(owner, task, name="gone")
        await put_file(owner, task, name="gone", content=b"other words")
        await owner.delete(f"/attachments/{gone['id']}")
        assert await left_over() == (4, 4)
        await self.sweep(app, database)
        assert await left_over() == (2, 2)
        for part in ("content", "thumbnail"):
            assert (await owner.get(f"/attachments/{kept['id']}/{part}")).status_code == 200

    @pytest.mark.alone
    async def test_leaves_what_may_be_on_its_way(
        self, app: FastAPI, database: Database, owner: Caller, task: dict[str, Any], left_over: LeftOver
    ) -> None:
        attachment = await make_attachment(owner, task)
        await owner.delete(f"/attachments/{attachment['id']}")
        await SWEEP.run(make_work(app, database), Nothing())
        assert await left_over() == (1, 1)

    @pytest.mark.alone
    async def test_takes_what_went_with_its_workspace(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        task: dict[str, Any],
        left_over: LeftOver,
    ) -> None:
        await make_attachment(owner, task)
        async with database.system_transaction() as session:
            await session.execute(text("DELETE FROM workspaces"))
        await self.sweep(app, database)
        assert await left_over() == (0, 0)
