"""Out, into an empty installation, and out again: the same bytes."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.archives.models import ARCHIVED
from glasswork.features.invariants.models import Rule
from glasswork.features.invariants.repository import InvariantRepository
from tests.factories.callers import Caller, Callers

from .everything import PICTURE, Everything, make_everything
from .moving import bring_in, same_person, take_out

pytestmark = pytest.mark.anyio


@pytest.fixture
async def everything(app: FastAPI, database: Database, callers: Callers, owner: Caller) -> Everything:
    return await make_everything(app, database, callers, owner)


async def answers(caller: Caller, everything: Everything) -> dict[str, Any]:
    found = {}
    for path, query in everything.paths:
        answer = await caller.get(path, **query)
        assert answer.status_code == 200, answer.text
        found[path] = answer.json()
        if path.endswith("/members"):
            for member in found[path]["items"]:  # the account changes them too, and is the installation's
                del member["version"], member["updated_at"]
    return found


async def violations(database: Database) -> dict[str, int]:
    """How many there are of each rule that is broken."""
    async with database.reading() as session:
        found = {rule: len(await InvariantRepository(session).find_violations(rule)) for rule in Rule}
    return {rule: number for rule, number in found.items() if number}


async def test_the_second_archive_is_the_first_one(
    app: FastAPI,
    database: Database,
    everything: Everything,
    committing_app: FastAPI,
    committing_callers: Callers,
    tmp_path: Path,
) -> None:
    shown = await answers(everything.owner, everything)
    first = await take_out(app, database, everything.owner, everything.workspace_id)
    path = tmp_path / "archive.zip"
    path.write_bytes(first)
    manifest = json.loads(ZipFile(BytesIO(first)).read("manifest.json"))
    assert {name for name, rows in manifest["tables"].items() if rows} == ARCHIVED

    report = await bring_in(committing_app, path)
    assert (report.is_new, report.users_matched, report.renamed) == (True, 0, ())
    owner = await same_person(committing_callers, everything.owner)
    assert await answers(owner, everything) == shown
    assert await violations(committing_app.state.database) == await violations(database)
    content = await owner.get(f"/attachments/{everything.attachment_id}/content")
    assert content.content == PICTURE
    second = await take_out(committing_app, committing_app.state.database, owner, everything.workspace_id)
    assert second == first
