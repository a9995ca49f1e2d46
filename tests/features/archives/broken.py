"""Archives that were changed after they were made."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

Entries = dict[str, bytes]
Change = Callable[[Entries], None]


def read(archive: bytes) -> Entries:
    with ZipFile(BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def changed(archive: bytes, *changes: Change) -> bytes:
    entries = read(archive)
    for change in changes:
        change(entries)
    written = BytesIO()
    with ZipFile(written, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return written.getvalue()


def without(name: str) -> Change:
    def change(entries: Entries) -> None:
        del entries[name]

    return change


def having(name: str, content: bytes = b"") -> Change:
    return lambda entries: entries.update({name: content})


def in_manifest(**fields: Any) -> Change:
    def change(entries: Entries) -> None:
        manifest = json.loads(entries["manifest.json"])
        entries["manifest.json"] = json.dumps(manifest | fields).encode()

    return change


def in_rows(table: str, change_row: Callable[[dict[str, Any]], object], number: int | None = None) -> Change:
    """Change each row, or that of a line."""
    name = f"tables/{table}.jsonl" if table != "users" else "users.jsonl"

    def change(entries: Entries) -> None:
        rows = [json.loads(line) for line in entries[name].splitlines()]
        for place, row in enumerate(rows, start=1):
            if number in {None, place}:
                change_row(row)
        entries[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    return change


def as_text(table: str, change_text: Callable[[bytes], bytes]) -> Change:
    name = f"tables/{table}.jsonl"
    return lambda entries: entries.update({name: change_text(entries[name])})


def compressed(archive: bytes) -> bytes:
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as file:
        for name, content in read(archive).items():
            file.writestr(name, content)
    return written.getvalue()
