"""Imports, made through the API and carried out as a worker does."""

from typing import Any

from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.importing.jobs import RUN_IMPORT
from glasswork.features.importing.service import Importer
from glasswork.features.sources.service import Sources

from .callers import Caller
from .work import outgoing_of, work_off


async def make_import(caller: Caller, workspace: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await caller.post(f"/workspaces/{workspace['id']}/imports", {"format": "csv"} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def send_file(caller: Caller, import_: dict[str, Any], content: bytes) -> dict[str, Any]:
    answer = await caller.request("PUT", f"/imports/{import_['id']}/file", content=content)
    assert answer.status_code == 200, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def load(
    app: FastAPI,
    database: Database,
    caller: Caller,
    workspace: dict[str, Any],
    content: bytes,
    **fields: Any,
) -> dict[str, Any]:
    """Return the import as it ended."""
    made = await make_import(caller, workspace, **fields)
    await send_file(caller, made, content)
    await work_off(app, database, RUN_IMPORT)
    return await shown(caller, made)


async def shown(caller: Caller, import_: dict[str, Any]) -> dict[str, Any]:
    now: dict[str, Any] = (await caller.get(f"/imports/{import_['id']}")).json()
    return now


async def faults_of(caller: Caller, import_: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The place, code and message of each, the first hundred of them."""
    items = (await caller.get(f"/imports/{import_['id']}/faults", limit=100)).json()["items"]
    return [(fault["place"], fault["code"], fault["message"]) for fault in items]


def make_importer(app: FastAPI, database: Database) -> Importer:
    settings, state = app.state.settings, app.state
    sources = Sources(state.keys, state.storage, outgoing_of(settings), settings.github_api_url)
    return Importer(database, sources)
