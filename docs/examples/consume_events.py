"""Follow the changes of all workspaces: `python consume_events.py redis://localhost:6379/0 seen.sqlite`.

It may be killed at any moment and started again: each change is handled, in the order of its workspace. Run
one at a time; who starts takes over what the one before had in hand.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import Any

import redis

STREAM, GROUP, NAME = "glasswork:events", "example", "consumer"

Fields = dict[str, str]


def handle(fields: Fields) -> None:
    subject = json.loads(fields["change"])["subject"]
    print(fields["workspace_id"], fields["seq"], fields["type"], subject["id"], flush=True)


def next_of(store: sqlite3.Connection, workspace_id: str) -> int:
    row = store.execute("SELECT seq FROM seen WHERE workspace_id = ?", (workspace_id,)).fetchone()
    return int(row[0]) + 1 if row else 1


def take(store: sqlite3.Connection, fields: Fields) -> None:
    """Handle it unless that is done; what you write of it belongs into the same transaction."""
    workspace_id, seq = fields["workspace_id"], int(fields["seq"])
    if seq < next_of(store, workspace_id):
        return
    if seq > next_of(store, workspace_id):
        print(f"{workspace_id}: before {seq} some are no longer kept", file=sys.stderr)
    with store:
        handle(fields)
        store.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (workspace_id, seq))


def given_out(client: redis.Redis) -> Iterator[tuple[str, Fields]]:
    """Yield what was given to somebody and not acknowledged, the oldest first: it is ours now."""
    start = "0-0"
    while True:
        answer: Any = client.xautoclaim(STREAM, GROUP, NAME, min_idle_time=0, start_id=start)
        start, entries = answer[:2]
        yield from entries
        if start == "0-0":
            return


def follow(client: redis.Redis, store: sqlite3.Connection) -> None:
    """Handle what is there and what comes, until one is missing that may have been given to somebody else."""
    if not client.exists(STREAM) or GROUP not in {each["name"] for each in client.xinfo_groups(STREAM)}:
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    for entry_id, fields in given_out(client):
        take(store, fields)
        client.xack(STREAM, GROUP, entry_id)
    while True:
        answer: Any = client.xreadgroup(GROUP, NAME, {STREAM: ">"}, count=100, block=5000)
        for entry_id, fields in (entry for _, entries in answer or () for entry in entries):
            if int(fields["seq"]) > next_of(store, fields["workspace_id"]):
                return
            take(store, fields)
            client.xack(STREAM, GROUP, entry_id)


def main(url: str, path: str) -> None:
    store = sqlite3.connect(path)
    store.execute("CREATE TABLE IF NOT EXISTS seen (workspace_id TEXT PRIMARY KEY, seq INTEGER)")
    client = redis.Redis.from_url(url, decode_responses=True, socket_timeout=10)
    while True:
        try:
            follow(client, store)
        except redis.RedisError as error:
            print(f"waiting for Redis: {error}", file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
