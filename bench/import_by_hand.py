"""The ceiling of an import: a bare program on asyncpg that copies the rows of a table into the database."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import asyncpg
from seed import EVENTS, TASK_COLUMNS
from uuid_utils.compat import uuid7

from glasswork.core.ordering import key_of

LABEL = """
    INSERT INTO labels (workspace_id, id, project_id, name, color, description, version)
    VALUES ($1, $2, $3, $4, '#808080', '', 1)
"""
NUMBERED = "UPDATE projects SET last_number = $2 WHERE id = $1"
COUNTED = """
    INSERT INTO event_counters (workspace_id, last_seq) VALUES ($1, $2)
    ON CONFLICT (workspace_id) DO UPDATE SET last_seq = event_counters.last_seq + EXCLUDED.last_seq
    RETURNING last_seq
"""
EVENTS_OF_PROJECT = f"""
    {EVENTS.replace("row_number()", "$3 + row_number()")} AND task.project_id = $2
"""

Row = tuple[Any, ...]


async def load_by_hand(
    connection: asyncpg.Connection, workspace_id: UUID, project_id: UUID, content: bytes
) -> None:
    """The tasks, their labels and their events, all in one transaction."""
    records = list(csv.DictReader(StringIO(content.decode())))
    async with connection.transaction():
        by_key = await connection.fetch("SELECT key, id FROM statuses WHERE project_id = $1", project_id)
        owner_id = await connection.fetchval("SELECT created_by FROM projects WHERE id = $1", project_id)
        statuses, labels = {row["key"]: row["id"] for row in by_key}, {}
        for name in {record["labels"] for record in records}:
            labels[name] = uuid7()
            await connection.execute(LABEL, workspace_id, labels[name], project_id, name)
        rows = list(_tasks(records, workspace_id, project_id, statuses, owner_id))
        await connection.copy_records_to_table("tasks", columns=TASK_COLUMNS, records=rows)
        links = [
            (workspace_id, row[1], labels[record["labels"]])
            for row, record in zip(rows, records, strict=True)
        ]
        columns = ("workspace_id", "task_id", "label_id")
        await connection.copy_records_to_table("task_labels", columns=columns, records=links)
        await connection.execute(NUMBERED, project_id, len(rows))
        last: int = await connection.fetchval(COUNTED, workspace_id, len(rows))
        await connection.execute(EVENTS_OF_PROJECT, workspace_id, project_id, last - len(rows), timeout=600)


def _tasks(
    records: list[dict[str, str]],
    workspace_id: UUID,
    project_id: UUID,
    statuses: dict[str, UUID],
    owner_id: UUID,
) -> Iterator[Row]:
    now = datetime.now(UTC)
    for number, record in enumerate(records, start=1):
        made = datetime.fromisoformat(record["created_at"])
        due = datetime.fromisoformat(record["due_at"]).replace(tzinfo=UTC)
        status = record["status"]
        yield (
            *(workspace_id, uuid7(), project_id, number, key_of(number), record["title"]),
            *(record["description"], statuses[status], record["priority"], None, owner_id, due, None, None),
            *(made, now, now if status == "done" else None, None, 1),
        )
