"""What there is, against what was asked for and acknowledged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .feed import Event
from .ledger import Answer, Write
from .writers import FOLLOWED

LETTERED = "comment.created", "invitation.created"
"""Each of them is told to somebody in one letter, which a job writes."""


class Fault(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    CHANGED = "changed"
    UNASKED = "there, though nobody asked for it"
    OVERWRITTEN = "acknowledged, and has overwritten what its writer had not seen"
    REFUSED = "refused"
    UNTOLD = "without its event"
    UNDONE = "without its letter"
    UNDELIVERED = "not delivered to the webhook"


@dataclass(frozen=True)
class Finding:
    fault: Fault
    key: str
    about: object = None

    def __str__(self) -> str:
        return f"{self.key} is {self.fault}" + (f": {self.about}" if self.about else "")


@dataclass(frozen=True)
class Thing:
    key: str
    """Of the request that made it."""
    id: str
    version: int
    is_gone: bool


THINGS = """
    SELECT description AS key, id::text, version, deleted_at IS NOT NULL AS is_gone
    FROM tasks WHERE description <> ''
    UNION ALL SELECT substring(body FROM '@reader (.*)'), id::text, version, deleted_at IS NOT NULL
    FROM comments
    UNION ALL SELECT split_part(email, '@', 1), id::text, version, false
    FROM invitations WHERE email <> 'reader@example.com'
"""
LETTERS = """
    SELECT key FROM kept_mails,
        coalesce(substring(body FROM '@reader (\\S+)'), split_part(recipient, '@', 1)) AS key
    WHERE key NOT IN ('reader', 'writer')
"""
DELIVERIES = """
    SELECT request_id AS key, id::text FROM deliveries WHERE status = 'delivered'
"""


@dataclass(frozen=True)
class Found:
    """Each by the key of the request that it is of."""

    things: Mapping[str, Sequence[Thing]]
    events: Mapping[str, Sequence[Event]]
    letters: Mapping[str, int]
    deliveries: Mapping[str, Sequence[str]]
    """Their ids; a message has its delivery's."""
    received: Mapping[str, Sequence[str]]
    """Ids of messages."""


class Audit:
    def __init__(self, asked: Mapping[str, Write], answers: Mapping[str, Answer], found: Found) -> None:
        self._asked = asked
        self._answers = answers
        self._found = found
        self._things = {thing.id: thing for things in found.things.values() for thing in things}

    def findings(self) -> Iterator[Finding]:
        found = self._found
        for kind in (found.things, found.events, found.letters, found.deliveries, found.received):
            for key in kind.keys() - self._asked.keys():
                yield Finding(Fault.UNASKED, key, kind[key])
        for write in self._asked.values():
            answer = self._answers.get(write.key)
            if write.type.endswith(".created"):
                yield from self._of_creation(write, answer)
            yield from self._of_event(write, answer)
            yield from self._of_what_follows(write)
            if answer and not answer.is_acknowledgement and (write.type, answer.status) != EXPECTED:
                yield Finding(Fault.REFUSED, write.key, answer.status)

    def _of_creation(self, write: Write, answer: Answer | None) -> Iterator[Finding]:
        """It is there once, or, without an answer, at most once."""
        things = self._found.things.get(write.key, ())
        if len(things) > 1:
            yield Finding(Fault.DOUBLED, write.key, [thing.id for thing in things])
        if answer is None:
            return
        if not answer.is_acknowledgement and things:
            yield Finding(Fault.UNASKED, write.key, answer.status)
        if answer.is_acknowledgement and not things:
            yield Finding(Fault.LOST, write.key, answer.id)
        elif answer.is_acknowledgement and answer.id not in {thing.id for thing in things}:
            yield Finding(Fault.CHANGED, write.key, answer.id)

    def _of_event(self, write: Write, answer: Answer | None) -> Iterator[Finding]:
        events = self._found.events.get(write.key, ())
        if len(events) > 1:
            yield Finding(Fault.DOUBLED, write.key, [event.seq for event in events])
        if answer and answer.is_acknowledgement:
            if not events and self._is_done(write, answer):
                yield Finding(Fault.UNTOLD, write.key)
            elif not events and not write.type.endswith(".created"):
                yield Finding(Fault.LOST, write.key, answer.version)
            for event in events:
                yield from _of_content(write, answer, event)
        elif answer and not answer.leaves_open and events:
            yield Finding(Fault.UNASKED, write.key, answer.status)
        elif not answer and self._found.things.get(write.key) and not events:
            yield Finding(Fault.UNTOLD, write.key)

    def _is_done(self, write: Write, answer: Answer) -> bool:
        """Whether the thing itself shows it."""
        thing = self._things.get(answer.id or write.task_id or "")
        if thing is None:
            return False
        return thing.is_gone if write.type == "task.deleted" else thing.version >= (answer.version or 0)

    def _of_what_follows(self, write: Write) -> Iterator[Finding]:
        found = self._found
        if write.type in LETTERED and found.things.get(write.key):
            if write.key not in found.letters:
                yield Finding(Fault.UNDONE, write.key)
            elif found.letters[write.key] > 1:
                yield Finding(Fault.DOUBLED, write.key, f"{found.letters[write.key]} letters")
        if write.type in FOLLOWED:
            events, ids = found.events.get(write.key, ()), found.deliveries.get(write.key, ())
            if len(ids) < len(events) or not set(ids) <= set(found.received.get(write.key, ())):
                yield Finding(Fault.UNDELIVERED, write.key)
            if len(set(found.received.get(write.key, ()))) > len(events):
                yield Finding(Fault.DOUBLED, write.key, "messages with ids of their own")


EXPECTED = "task.updated", 412
"""Somebody else was faster."""
WORDS = {"task.created": "description", "task.updated": "title", "comment.created": "body"}


def _of_content(write: Write, answer: Answer, event: Event) -> Iterator[Finding]:
    told = {**(event.after or {})}
    word = told.get(WORDS.get(write.type, ""), write.key)
    if event.type != write.type or event.subject_id != (answer.id or write.task_id) or write.key not in word:
        yield Finding(Fault.CHANGED, write.key, event)
    if answer.version is not None and told["version"] != answer.version:
        yield Finding(Fault.CHANGED, write.key, event)
    before = event.before or {}
    if write.if_match is not None and write.if_match != before["version"]:
        yield Finding(
            Fault.OVERWRITTEN, write.key, f"If-Match named {write.if_match}, not {before['version']}"
        )
