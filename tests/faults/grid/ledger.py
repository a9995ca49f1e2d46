"""What callers were told of each thing that they asked for, and what must be there of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass(frozen=True)
class Answer:
    """Without a status: the connection was broken off, or nothing came."""

    status: int | None
    seconds: float
    body: Any = None
    content: bytes = b""

    @property
    def is_good(self) -> bool:
        return self.status is not None and httpx2.codes.is_success(self.status)

    @property
    def is_unknown(self) -> bool:
        """Whether it leaves open what became of the request."""
        return self.status is None or self.code == "OUTCOME_UNKNOWN"

    @property
    def code(self) -> str | None:
        """What `/ready` refuses with has none."""
        return self.body["error"]["code"] if not self.is_good and self.body and "error" in self.body else None


@dataclass
class Ledger:
    """Of things that have a name each."""

    done: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)

    def note(self, name: str, answer: Answer) -> None:
        """Of one that was asked for again, the answers count together."""
        if answer.is_good:
            self.unknown.discard(name)
            self.done.add(name)
        elif answer.is_unknown:
            self.unknown.add(name)
        elif name not in self.unknown:
            self.refused.add(name)

    def check(self, found: Iterable[str]) -> str:
        """Return what holds: all that was acknowledged is there once, and nothing of what was refused."""
        counts = Counter(found)
        names = counts.keys()
        assert [name for name in names if counts[name] > 1] == [], "doubled"
        assert self.done - names == set(), "lost"
        assert self.refused & names == set(), "refused, and there"
        assert names - self.done - self.unknown == set(), "never asked for"
        told = f"{len(self.done)} acknowledged, each there once"
        if self.refused:
            told += f"; {len(self.refused)} refused, none there"
        if self.unknown:
            told += f"; {len(self.unknown)} left open"
        return told
