"""What is taken in, and what is refused: then nothing of it is there."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core import revisions
from glasswork.core.db import Database
from glasswork.core.errors import AppError
from glasswork.features.accounts.models import User
from glasswork.features.credentials.events import PasswordForgot
from glasswork.features.restoring.errors import RowThereError, SlugInUseError, WorkspaceThereError
from glasswork.features.restoring.schemas import RestoreReport
from glasswork.features.restoring.service import RestoreService
from glasswork.features.unpacking.errors import NewerArchiveError, UnreadableArchiveError
from tests.factories.callers import PASSWORD, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.features.accounts.sign_in import log_in
from tests.features.credentials.letters import Postman, token_in

from .broken import Change, as_text, changed, compressed, having, in_manifest, in_rows, read, without
from .moving import same_person

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

Restore = Callable[[bytes], Awaitable[RestoreReport]]
Count = Callable[[], Awaitable[tuple[int, int]]]

TASK = uuid7()


@pytest.fixture
def restore(app: FastAPI, database: Database, tmp_path: Path) -> Restore:
    async def restore(archive: bytes) -> RestoreReport:
        path = tmp_path / "archive.zip"
        path.write_bytes(archive)
        return await RestoreService(database, app.state.storage).restore(path, lambda _, __: None)

    return restore


async def stored(database: Database) -> list[int]:
    """How many workspaces, users, tasks, events and events of the installation there are."""
    tables = ("workspaces", "users", "tasks", "workspace_events", "installation_events")
    async with database.reading() as session:
        return [(await session.scalars(text(f"SELECT count(*) FROM {table}"))).one() for table in tables]


def rows_of(archive: bytes, table: str) -> list[dict[str, Any]]:
    name = f"tables/{table}.jsonl" if table != "users" else "users.jsonl"
    return [json.loads(line) for line in read(archive)[name].splitlines()]


def file_of(archive: bytes) -> str:
    return next(name for name in read(archive) if name.startswith("files/"))


def add_table(name: str) -> Change:
    def change(entries: dict[str, bytes]) -> None:
        manifest = json.loads(entries["manifest.json"])
        manifest["tables"][name] = 0
        entries["manifest.json"] = json.dumps(manifest).encode()
        entries[f"tables/{name}.jsonl"] = b""

    return change


def other_file(entries: dict[str, bytes]) -> None:
    name = next(name for name in entries if name.startswith("files/"))
    entries[name] = bytes(len(entries[name]))


BROKEN: dict[str, tuple[Change, str]] = {
    "no manifest": (without("manifest.json"), "manifest.json: is missing"),
    "no JSON": (having("manifest.json", b"{"), "manifest.json: Invalid JSON"),
    "another format": (in_manifest(format="tar"), "manifest.json: format: "),
    "another version": (in_manifest(version=2), "manifest.json: version: "),
    "no workspace": (in_manifest(tables={}), "manifest.json: tells of no workspace"),
    "no size": (in_rows("attachments", lambda row: row.pop("size")), "is missing, or not as long"),
    "no id": (in_rows("attachments", lambda row: row.pop("id")), "files/None: is missing"),
    "a table is missing": (without("tables/tasks.jsonl"), "tables/tasks.jsonl: is missing"),
    "a table that stays": (add_table("hooks"), "tables/hooks.jsonl: is not known"),
    "a path": (having("../evil", b"x"), "../evil: is not known"),
    "a row less": (as_text("projects", lambda _: b""), "tables/projects.jsonl: has 0 lines"),
    "no row": (as_text("tasks", lambda rows: b"\n" + rows), "tables/tasks.jsonl, line 1: is no JSON"),
    "no object": (as_text("tasks", lambda rows: rows + b"[]\n"), "tables/tasks.jsonl, line 4: is no JSON"),
    "deep": (as_text("tasks", lambda rows: b"[" * 200_000 + b"\n" + rows), "line 1: is no JSON"),
    "no end": (as_text("tasks", lambda rows: rows[:-1]), "tables/tasks.jsonl, line 3: has no end"),
    "no text": (as_text("tasks", lambda rows: rows.replace(b"Task", b"T\xff")), "tasks.jsonl, line 1: "),
    "NUL": (
        in_rows("tasks", lambda row: row.update(title="a\0b"), 2),
        "tables/tasks.jsonl, line 2: does not",
    ),
    "another word": (
        in_rows("tasks", lambda row: row.update(priority="huge"), 3),
        "tasks.jsonl, line 3: does",
    ),
    "no number": (
        in_rows("tasks", lambda row: row.update(number="x"), 1),
        "tables/tasks.jsonl, line 1: does",
    ),
    "no such project": (
        in_rows("tasks", lambda row: row.update(project_id=str(uuid7())), 2),
        "tables/tasks.jsonl, line 2: does not fit",
    ),
    "no such parent": (
        in_rows("tasks", lambda row: row.update(parent_id=str(uuid7())), 2),
        "tables/tasks.jsonl, line 2: does not fit",
    ),
    "another workspace": (
        in_rows("tasks", lambda row: row.update(workspace_id=str(uuid7())), 2),
        "tables/tasks.jsonl, line 2: is of another workspace",
    ),
    "the workspace is another": (
        in_rows("workspaces", lambda row: row.update(id=str(uuid7()))),
        "tables/workspaces.jsonl, line 1: is of another workspace",
    ),
    "more columns": (in_rows("tasks", lambda row: row.update(x=1)), "tables/tasks.jsonl, line 1: has other"),
    "where bytes lie": (
        in_rows("attachments", lambda row: row.update(object_id=str(uuid7()))),
        "tables/attachments.jsonl, line 1: has other columns",
    ),
    "once more columns": (
        in_rows("tasks", lambda row: row.pop("title"), 2),
        "tasks.jsonl, line 2: has other",
    ),
    "no address": (in_rows("users", lambda row: row.update(email="x"), 2), "users.jsonl, line 2: email: "),
    "a password": (in_rows("users", lambda row: row.update(password_hash="x"), 1), "users.jsonl, line 1: "),
    "another file": (other_file, "has another SHA-256 than tables/attachments.jsonl says"),
    "a file more": (having(f"files/{TASK}"), f"files/{TASK}: belongs to no attachment"),
    "a longer file": (
        in_rows("attachments", lambda row: row.update(size=row["size"] + 1)),
        "is missing, or not as long as its row says",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_named_and_leaves_nothing(
    database: Database, restore: Restore, archive: bytes, left_over: Count, name: str
) -> None:
    change, message = BROKEN[name]
    before = await stored(database)
    with pytest.raises(UnreadableArchiveError) as refusal:
        await restore(changed(archive, change))
    assert message in refusal.value.message
    assert await stored(database) == before
    assert await left_over() == (0, 0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: b"", "not a zip file"),
        (lambda _: b"PK" + bytes(1000), "not a zip file"),
        (lambda archive: archive[: len(archive) // 2], "not a zip file"),
        (lambda archive: archive.replace(b"Task", b"Tusk", 1), "jsonl: Bad CRC-32"),
        (lambda archive: archive.replace(b"IHDR", b"IHDX"), "files/.*: Bad CRC-32"),
        (compressed, "is compressed"),
    ],
    ids=["empty", "no zip", "cut off", "a wrong letter", "a wrong pixel", "compressed"],
)
async def test_a_broken_file_is_refused(
    restore: Restore, archive: bytes, left_over: Count, spoil: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(UnreadableArchiveError, match=message):
        await restore(spoil(archive))
    assert await left_over() == (0, 0)


async def test_what_is_whole_is_taken_once(
    database: Database, restore: Restore, archive: bytes, left_over: Count
) -> None:
    archive = changed(archive)
    report = await restore(archive)
    assert (report.is_new, report.users_created, report.files) == (True, 2, 1)
    assert report.rows["tasks"] == 3
    there, files = await stored(database), await left_over()
    assert files == (1, 1)
    again = await restore(archive)
    assert (again.is_new, again.slug) == (False, "moved")
    assert (await stored(database), await left_over()) == (there, files)


async def test_what_a_newer_version_made_is_refused_and_what_an_older_one_made_is_taken(
    database: Database, restore: Restore, archive: bytes
) -> None:
    with pytest.raises(NewerArchiveError, match=f"at 9999, the one here at {revisions.head()}"):
        await restore(changed(archive, in_manifest(revision="9999")))
    fewer = [
        in_manifest(revision="0021"),
        in_rows("statuses", lambda row: row.pop("is_restricted")),
        in_rows("tasks", lambda row: row.pop("archived_at")),
        without("tables/former_keys.jsonl"),
        without_count("former_keys"),
    ]
    assert (await restore(changed(archive, *fewer))).is_new
    async with database.reading() as session:
        (restricted,) = await session.scalars(text("SELECT DISTINCT is_restricted FROM statuses"))
    assert restricted is False


def without_count(table: str) -> Change:
    def change(entries: dict[str, bytes]) -> None:
        manifest = json.loads(entries["manifest.json"])
        del manifest["tables"][table]
        entries["manifest.json"] = json.dumps(manifest).encode()

    return change


class TestWhatIsThere:
    async def refuse(self, restore: Restore, archive: bytes, refusal: type[AppError], message: str) -> None:
        with pytest.raises(refusal, match=message):
            await restore(archive)

    async def test_another_workspace_has_the_slug(
        self, callers: Callers, database: Database, restore: Restore, archive: bytes
    ) -> None:
        owner = await callers.user()
        other = await make_workspace(owner, slug="moved")
        before = await stored(database)
        await self.refuse(restore, archive, SlugInUseError, "'moved'")
        assert await stored(database) == before
        await owner.patch(f"/workspaces/{other['id']}", {"slug": "stayed"})
        assert (await restore(archive)).is_new

    async def test_the_workspace_is_there_of_another_archive(self, restore: Restore, archive: bytes) -> None:
        assert (await restore(archive)).is_new
        await self.refuse(restore, changed(archive), WorkspaceThereError, "here already")

    async def test_the_workspace_is_not_purged_yet(
        self, database: Database, restore: Restore, archive: bytes
    ) -> None:
        await restore(archive)
        async with database.system_transaction() as session:
            await session.execute(text("UPDATE workspaces SET deleted_at = now()"))
        await self.refuse(restore, archive, WorkspaceThereError, "not purged yet")

    async def test_an_id_is_another_workspaces(
        self, callers: Callers, database: Database, restore: Restore, archive: bytes, left_over: Count
    ) -> None:
        owner = await callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        taken = in_rows("tasks", lambda row: row.update(id=task["id"]), 3)
        before = await stored(database)
        await self.refuse(restore, changed(archive, taken), RowThereError, "^tables/tasks.jsonl, line 3: ")
        assert (await stored(database), await left_over()) == (before, (0, 0))


class TestPeople:
    async def add(self, database: Database, user: dict[str, Any], **fields: Any) -> UUID:
        known = User(
            **{"id": UUID(user["id"]), "email": user["email"], "username": user["username"], "name": "Here"}
            | fields
        )
        async with database.system_transaction() as session:
            session.add(known)
        return known.id

    async def test_who_has_the_id_is_the_same_one(
        self, callers: Callers, database: Database, restore: Restore, archive: bytes
    ) -> None:
        user = rows_of(archive, "users")[0]
        await self.add(database, user, email="another@example.com", username="another")
        report = await restore(archive)
        assert (report.users_matched, report.users_created) == (1, 1)
        owner = await same_person(callers, await callers.user(), UUID(user["id"]))
        assert (await owner.get("/users/me")).json()["email"] == "another@example.com"
        assert [each["slug"] for each in (await owner.get("/workspaces")).json()["items"]] == ["moved"]

    async def test_who_has_the_address_is_the_same_one_everywhere(
        self, callers: Callers, database: Database, restore: Restore, archive: bytes
    ) -> None:
        user, member = rows_of(archive, "users")
        here = await self.add(database, user, id=uuid7(), email=user["email"].upper())
        report = await restore(archive)
        assert (report.users_matched, report.users_created, report.renamed) == (1, 1, ())
        owner = await same_person(callers, await callers.user(), here)
        workspace_id = rows_of(archive, "workspaces")[0]["id"]
        shown = [
            (await owner.get(f"/workspaces/{workspace_id}/{part}")).text
            for part in ("members", "tasks", "changes", "projects")
        ]
        assert all(str(here) in each for each in shown)
        assert user["id"] not in "".join(shown)
        assert member["id"] in shown[1]

    async def test_a_username_that_is_taken_gets_a_number(
        self, database: Database, restore: Restore, archive: bytes
    ) -> None:
        users = [{"username": f"{'x' * 19}{number}"} for number in range(2)]
        archive = changed(archive, *(in_rows("users", set_to(each), n) for n, each in enumerate(users, 1)))
        await self.add(database, rows_of(archive, "users")[0], id=uuid7(), email="a@example.com")
        report = await restore(archive)
        assert (report.users_created, report.renamed) == (2, (f"{'x' * 18}_2",))

    async def test_who_is_new_has_no_password_and_no_rights_beyond(
        self, database: Database, restore: Restore, archive: bytes
    ) -> None:
        await restore(archive)
        query = text("SELECT DISTINCT password_hash, role, email_verified_at, is_active FROM users")
        async with database.reading() as session:
            assert (await session.execute(query)).all() == [(None, "user", None, True)]

    async def test_who_is_new_comes_in_by_a_letter(
        self, app: FastAPI, callers: Callers, database: Database, restore: Restore, archive: bytes
    ) -> None:
        client, email = callers.client, rows_of(archive, "users")[0]["email"]
        await restore(archive)
        assert (await log_in(client, email)).status_code == 401
        await client.post("/api/v1/auth/forgot-password", json={"email": email})
        token = token_in(await Postman(app, database).deliver(PasswordForgot))
        new = {"token": token, "new_password": f"{PASSWORD} too"}
        assert (await client.post("/api/v1/auth/reset-password", json=new)).status_code == 204
        assert (await log_in(client, email, f"{PASSWORD} too")).status_code == 200


def set_to(fields: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update(fields)


async def test_the_installation_knows_what_came_in(
    database: Database, restore: Restore, archive: bytes
) -> None:
    await restore(archive)
    query = text("SELECT type, after->>'slug' FROM installation_events ORDER BY type")
    async with database.reading() as session:
        told = (await session.execute(query)).all()
    assert [tuple(row) for row in told] == [("archive.imported", "moved"), *[("user.created", None)] * 2]
