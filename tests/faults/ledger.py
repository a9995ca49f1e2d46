"""What was asked for and what was acknowledged, in a file: the first before it is sent, the other fsynced."""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ONCE_SHOWN = {"token"}


@dataclass(frozen=True)
class Write:
    key: str
    """Its Idempotency-Key and X-Request-ID, and the text that it writes: no other one has it."""
    type: str
    """Of the event that it makes."""
    task_id: str | None = None
    if_match: int | None = None
    place: int = 0
    """The workspace in which a thing is made, by its number."""


@dataclass(frozen=True)
class Answer:
    key: str
    status: int
    tries: int
    id: str | None = None
    version: int | None = None
    digest: str | None = None
    """Of the whole resource."""

    @property
    def is_acknowledgement(self) -> bool:
        """A deletion that is asked for again is told that there is nothing: nobody else deletes it."""
        return self.status < 300 or (self.status == 404 and self.tries > 1)

    @property
    def leaves_open(self) -> bool:
        """An edit whose first answer was lost may itself have made the version that it now clashes with."""
        return self.status == 412 and self.tries > 1


def digest(resource: Mapping[str, Any]) -> str:
    fields = {name: value for name, value in resource.items() if name not in ONCE_SHOWN}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


class Ledger:
    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file

    def ask(self, write: Write) -> None:
        self._append({"asked": asdict(write)})

    async def take_down(self, answer: Answer) -> None:
        """Return when it is on disk."""
        self._append({"answered": asdict(answer)})
        await asyncio.to_thread(os.fsync, self._file)

    def read(self) -> tuple[dict[str, Write], dict[str, Answer]]:
        """Return both by their keys; what has no answer was cut off for good."""
        lines = [json.loads(line) for line in self._path.read_text().splitlines()]
        asked = [Write(**line["asked"]) for line in lines if "asked" in line]
        answered = [Answer(**line["answered"]) for line in lines if "answered" in line]
        return {each.key: each for each in asked}, {each.key: each for each in answered}

    def _append(self, line: Mapping[str, Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    try:
        yield Ledger(path, file)
    finally:
        os.close(file)
