"""A workspace with as many tasks as wanted, in glasswork's database.

    uv run python bench/seed.py --tasks 1000000 --owner ada@example.com

The rows come by COPY, and the indexes and foreign keys of their tables are put back afterwards. Each task has
its event, as the change feed and the checks of invariants expect, but no job was ordered: nobody is told.
Each run makes another workspace.
"""

import argparse
import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import make_url

from glasswork.core.ordering import key_of
from glasswork.features.projects.models import DEFAULT_STATUSES, Category
from glasswork.features.tasks.models import Priority
from glasswork.installation import installation

PROJECTS, MEMBERS, LABELS = 10, 20, 10
RARE = "zanzibar"
"""In the title of one task in 10,000; `task` stands in every description."""
HEADS = (
    "alpha",
    "beta",
    "delta",
    "kilo",
    "lima",
    "mike",
    "nova",
    "oscar",
    "papa",
    "romeo",
    "sierra",
    "tango",
)
TAILS = (
    "base",
    "cable",
    "door",
    "engine",
    "field",
    "gate",
    "host",
    "index",
    "job",
    "key",
    "lock",
    "mail",
    "node",
)
ENDS = ("", "al", "ic", "or", "um", "ix", "ax", "on", "us", "ia")
BATCH = 10_000
PAST = timedelta(days=730)
TASK_COLUMNS = (
    *(
        "workspace_id",
        "id",
        "project_id",
        "number",
        "position",
        "title",
        "description",
        "status_id",
        "priority",
    ),
    *("assignee_id", "created_by", "due_at", "start_at", "estimate_minutes", "created_at", "updated_at"),
    *("completed_at", "archived_at", "version"),
)
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text AS of, conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::regclass[])
"""
INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index WHERE indrelid = ANY ($1::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
EVENTS = """
    INSERT INTO workspace_events (workspace_id, seq, id, type, subject_id, actor_id, request_id, at, after)
    SELECT task.workspace_id, row_number() OVER (ORDER BY task.id), gen_random_uuid(), 'task.created',
        task.id, task.created_by, 'seed', task.created_at,
        to_jsonb(task) - '{search,status_id,number,deleted_at,recurrence}'::text[] || jsonb_build_object(
            'key', project.key || '-' || task.number, 'status', status.key, 'watcher_ids', '[]'::jsonb,
            'label_ids', (SELECT coalesce(jsonb_agg(label_id), '[]') FROM task_labels AS link
                          WHERE link.workspace_id = task.workspace_id AND link.task_id = task.id))
    FROM tasks AS task
    JOIN projects AS project ON project.id = task.project_id
    JOIN statuses AS status ON status.id = task.status_id
    WHERE task.workspace_id = $1
"""
COUNT = "INSERT INTO event_counters (workspace_id, last_seq) VALUES ($1, $2)"
TABLES = ("tasks", "task_labels", "workspace_events")

Row = tuple[Any, ...]


@dataclass
class Plan:
    """Ids of what the tasks refer to."""

    owner_id: UUID
    now: datetime
    rng: random.Random
    workspace_id: UUID = field(init=False)
    members: list[UUID] = field(init=False)
    projects: list[UUID] = field(init=False)
    statuses: list[list[UUID]] = field(init=False)
    labels: list[list[UUID]] = field(init=False)

    def __post_init__(self) -> None:
        self.workspace_id = self.id()
        self.members = [self.owner_id, *(self.id() for _ in range(MEMBERS))]
        self.projects = [self.id() for _ in range(PROJECTS)]
        self.statuses = [[self.id() for _ in DEFAULT_STATUSES] for _ in self.projects]
        self.labels = [[self.id() for _ in range(LABELS)] for _ in self.projects]

    def id(self, at: datetime | None = None) -> UUID:
        """As of version 7."""
        milliseconds = int((at or self.now).timestamp() * 1000)
        return UUID(
            int=milliseconds << 80
            | 7 << 76
            | self.rng.getrandbits(12) << 64
            | 2 << 62
            | self.rng.getrandbits(62)
        )


async def seed(
    connection: asyncpg.Connection,
    owner_id: UUID,
    tasks: int,
    *,
    now: datetime | None = None,
    rng: random.Random | None = None,
) -> Plan:
    """As a role that owns the tables. Lasts about four minutes for a million.

    The same `now` and `rng` make the same rows.
    """
    rng = rng or random.Random(f"{owner_id}{secrets.token_hex(4)}")  # noqa: S311 (no secret)
    plan = Plan(owner_id, now or datetime.now(UTC), rng)
    async with connection.transaction():
        await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        await _surroundings(connection, plan, tasks)
        async with _bare(connection):
            await _fill(connection, plan, tasks)
            await connection.execute(EVENTS, plan.workspace_id, timeout=3600)
            await connection.execute(COUNT, plan.workspace_id, tasks)
    await connection.execute("VACUUM ANALYZE tasks, task_labels, workspace_events", timeout=3600)
    await connection.execute("ANALYZE statuses, projects, labels, memberships, users")
    return plan


async def _surroundings(connection: asyncpg.Connection, plan: Plan, tasks: int) -> None:
    async def copy(table: str, columns: str, rows: Sequence[Row]) -> None:
        await connection.copy_records_to_table(table, columns=columns.split(), records=rows)

    mark, workspace, owner = plan.workspace_id.hex[-8:], plan.workspace_id, plan.owner_id
    people = [(each, f"seed{n}_{mark}") for n, each in enumerate(plan.members[1:])]
    await copy(
        "users",
        "id email username name password_hash role is_active version",
        [(each, f"{name}@example.com", name, name, "!", "user", True, 1) for each, name in people],
    )
    await copy(
        "workspaces",
        "id name slug created_by version",
        [(workspace, f"{tasks:,} tasks", f"seed-{mark}", owner, 1)],
    )
    await copy(
        "memberships",
        "workspace_id user_id role version",
        [(workspace, each, "owner" if each == owner else "member", 1) for each in plan.members],
    )
    await copy(
        "projects",
        "workspace_id id key name description last_number created_by version",
        [
            (workspace, each, f"SEED{n}", f"Seed {n}", "", tasks // PROJECTS + 1, owner, 1)
            for n, each in enumerate(plan.projects)
        ],
    )
    await copy(
        "statuses",
        "workspace_id id project_id key name category color position is_restricted version",
        [
            (workspace, status_id, project_id, key, name, category.value, color, position, False, 1)
            for project_id, ids in zip(plan.projects, plan.statuses, strict=True)
            for position, (status_id, (key, name, category, color)) in enumerate(
                zip(ids, DEFAULT_STATUSES, strict=True)
            )
        ],
    )
    await copy(
        "labels",
        "workspace_id id project_id name color description version",
        [
            (workspace, label_id, project_id, f"label {n}", "#808080", "", 1)
            for project_id, ids in zip(plan.projects, plan.labels, strict=True)
            for n, label_id in enumerate(ids)
        ],
    )


async def _fill(connection: asyncpg.Connection, plan: Plan, tasks: int) -> None:
    rows = _tasks(plan, tasks)
    while batch := list(islice(rows, BATCH)):
        await connection.copy_records_to_table("tasks", columns=TASK_COLUMNS, records=batch, timeout=600)
        links = [
            (plan.workspace_id, row[1], label_id)
            for n, row in enumerate(batch)
            for label_id in plan.rng.sample(plan.labels[n % PROJECTS], plan.rng.choice((0, 0, 1, 2)))
        ]
        await connection.copy_records_to_table(
            "task_labels", columns=("workspace_id", "task_id", "label_id"), records=links, timeout=600
        )


def _tasks(plan: Plan, tasks: int) -> Iterator[Row]:
    """In the order in which they were made; the projects take turns."""
    rng, day, priorities = plan.rng, timedelta(days=1), [priority.value for priority in Priority]
    words = [head + tail + end for end in ENDS for head in HEADS for tail in TAILS]
    shares = [1 / (rank + 10) for rank, _ in enumerate(words)]  # few are common and most are rare, as ever
    titles = [" ".join(rng.choices(words, shares, k=4)).capitalize() for _ in range(20_000)]
    texts = [" ".join(["A task of", *rng.choices(words, shares, k=20)]) for _ in range(20_000)]
    midnight = plan.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for n in range(tasks):
        project, number = n % PROJECTS, n // PROJECTS + 1
        made = plan.now - PAST * (1 - n / tasks)
        changed = made + (plan.now - made) * rng.random()
        status = rng.choice((0, 0, 1, 2, 2))
        is_done = DEFAULT_STATUSES[status][2] is Category.DONE
        is_archived = is_done and rng.choice((True, False, False, False, False))
        due = midnight + rng.randrange(-365, 365) * day if rng.choice((True, False)) else None
        yield (
            *(plan.workspace_id, plan.id(made), plan.projects[project], number, key_of(number)),
            rng.choice(titles) + (f" {RARE}" if n % 10_000 == 0 else ""),
            *(rng.choice(texts), plan.statuses[project][status], rng.choice(priorities)),
            *(rng.choice([None, *plan.members]), rng.choice(plan.members), due),
            due and due - rng.randrange(1, 30) * day,
            rng.choice((None, 15, 30, 60, 240)),
            *(
                made,
                changed,
                changed if is_done else None,
                changed if is_archived else None,
            ),
            1,
        )


@asynccontextmanager
async def _bare(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Without indexes and foreign keys, which are dearer row by row than all at once."""
    foreign_keys = await connection.fetch(FOREIGN_KEYS, TABLES)
    indexes = await connection.fetch(INDEXES, TABLES)
    for row in foreign_keys:
        await connection.execute(f"ALTER TABLE {row['of']} DROP CONSTRAINT {row['name']}")
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    yield
    for row in indexes:
        await connection.execute(row["definition"], timeout=3600)
    await connection.execute("ANALYZE tasks")
    for row in foreign_keys:
        await connection.execute(
            f"ALTER TABLE {row['of']} ADD CONSTRAINT {row['name']} {row['definition']}", timeout=3600
        )


async def run(url: str, owner: str, tasks: int) -> None:
    connection = await asyncpg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    owner_id = await connection.fetchval("SELECT id FROM users WHERE lower(email) = lower($1)", owner)
    if owner_id is None:
        raise SystemExit(f"There is no account {owner}.")
    began = perf_counter()
    plan = await seed(connection, owner_id, tasks)
    print(f"Workspace {plan.workspace_id} has {tasks:,} tasks, after {perf_counter() - began:.0f} s.")
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument(
        "--owner", required=True, help="e-mail address of the account that owns the workspace"
    )
    options = parser.parse_args()
    with installation() as settings:
        asyncio.run(run(settings.owner_database_url.get_secret_value(), options.owner, options.tasks))


if __name__ == "__main__":
    main()
