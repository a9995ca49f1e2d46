"""Events against requests: each committed mutation has its events, and nothing else has any."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from glasswork.core.db import Database
from tests.contract.test_events import EVENTS, SILENT
from tests.core.runners import fetch, jobs_of

from .feed import Event
from .traffic import Request

_COLUMNS = "type, subject_id::text, actor_id::text, request_id, before, after"
_ALL = f"""
    SELECT workspace_id::text, seq, {_COLUMNS} FROM workspace_events
    UNION ALL SELECT NULL, 0, {_COLUMNS} FROM installation_events
    ORDER BY workspace_id, seq
"""


async def stored_events(database: Database) -> list[Event]:
    """By workspace, and there by `seq`; those of the installation come last, by the versions of accounts."""
    events = [Event(**row) for row in await fetch(database, _ALL)]
    return sorted(
        events, key=lambda event: (event.workspace_id or "~", event.seq, event.seq or event.version)
    )


def check_requests(requests: Sequence[Request], events: Iterable[Event]) -> None:
    made: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        made[event.request_id].append(event)
    assert not made.keys() - {request.id for request in requests}
    for request in requests:
        _check_request(request, made[request.id])


def _check_request(request: Request, made: list[Event]) -> None:
    name = request.operation.id
    assert request.status != 500, request
    assert request.status or not request.operation.takes_key, request
    assert request.was_retried or not request.was_replayed, request
    assert _is_told_why(request), request
    if name in SILENT or (request.status or 0) >= 400:
        assert not made, (request, made)
        return
    first, *others = EVENTS[name]
    primary = [event for event in made if event.type == first]
    if len(primary) > 1 and request.target:  # what is below a task goes with it
        primary = [event for event in primary if event.subject_id in request.target.ids.values()]
    assert len(primary) == bool(made), (request, made)
    assert {event.type for event in made} <= {first, *others}, (request, made)
    assert len({(event.type, event.subject_id) for event in made}) == len(made), (request, made)
    assert {event.actor_id for event in made} <= {request.person.id if request.operation.has_actor else None}
    if request.status is None:
        return
    if primary:
        _check_answer(request, primary[0])
    else:
        _check_unchanged(request, first)


def _is_told_why(request: Request) -> bool:
    """A clash has a reason that the caller can see; only a label that is just being deleted is none."""
    code = request.answer["error"]["code"] if request.status == 409 else None
    return code != "CONFLICT" or "label_ids" in (request.body or {})


def _check_answer(request: Request, event: Event) -> None:
    """The event tells what the answer told."""
    answer = request.answer or {}
    if event.subject_id in {answer.get("id"), answer.get("user_id")}:
        assert event.after
        assert event.after.items() <= answer.items(), (request, event)
        assert request.headers.get("If-Match") != f'"{answer["version"]}"', (request, event)
    elif request.target and request.status == 204:
        assert event.subject_id in request.target.ids.values(), (request, event)


def _check_unchanged(request: Request, expected: str) -> None:
    """It told how things are, and were before."""
    assert request.status == 200, request
    assert not expected.endswith(".created"), request
    tag = f'"{request.answer["version"]}"'
    assert request.headers.get("If-Match", tag) == tag, request


def check_order(events: Sequence[Event]) -> None:
    """In each workspace `seq` is 1, 2, 3, and each change of a thing begins where the one before ended.

    Every change raises the version of its row by one, whoever makes it: so no change is without its event.
    """
    for workspace_id, group in groupby(events, key=lambda event: event.workspace_id):
        seqs = [event.seq for event in group]
        assert workspace_id is None or seqs == list(range(1, len(seqs) + 1)), workspace_id
    versions: dict[str, int] = {}
    for event in events:
        if event.kind != "member":
            _check_version(event, versions.get(event.subject_id))
            versions[event.subject_id] = event.version


def _check_version(event: Event, last: int | None) -> None:
    match event.verb:
        case "created":
            assert (last, event.version) == (None, 1), event
        case "updated":
            assert event.before
            is_first = last is None and event.kind == "user"  # who was there before the feed began
            assert is_first or last == event.before["version"], (last, event)
            assert event.version == event.before["version"] + 1, event
        case "deleted":
            assert last == event.version, (last, event)
        case "restored":
            # Its deletion was a change too; and so was each of its labels that went meanwhile.
            assert last is not None
            assert event.version >= last + 2, (last, event)


async def check_letters(
    database: Database, letters: Iterable[tuple[str, str]], events: Iterable[Event]
) -> None:
    """To each account that was opened one letter, and one to each who was invited and still is.

    `letters` are addresses and subjects.

    Who is shut off when its turn comes, or no longer invited, needs none. Of what somebody is told there is
    at most one each, as it may be no news any more. No job is left over, or dead.
    """
    sent = list(letters)
    news = Counter(recipient for recipient, subject in sent if subject.startswith("["))
    assert news <= Counter(row["email"] for row in await fetch(database, _TOLD_BY_MAIL))
    stored = list(events)
    changed = [event for event in stored if event.type == "user.updated" and event.after]
    shut_off = {event.subject_id for event in changed if (event.after or {}).get("is_active") is False}
    gone = {event.subject_id for event in stored if event.type in {"invitation.deleted", "workspace.deleted"}}
    opened = [event for event in stored if event.type == "user.created" and event.after]
    active = [event for event in opened if event.subject_id not in shut_off]
    invited = [event for event in stored if event.type == "invitation.created" and event.after]
    stands = [event for event in invited if gone.isdisjoint({event.subject_id, event.workspace_id})]
    received = Counter(recipient for recipient, subject in sent if not subject.startswith("["))
    assert _addresses([*active, *stands]) <= received <= _addresses([*opened, *invited])
    assert await jobs_of(database) == []


_TOLD_BY_MAIL = "SELECT email FROM notifications JOIN users ON users.id = user_id WHERE mailing = 'at_once'"


def _addresses(events: Iterable[Event]) -> Counter[str]:
    return Counter(event.after["email"] for event in events if event.after)


async def check_locks(database: Database) -> None:
    """Nobody was refused because two writers waited for each other."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert [row["deadlocks"] for row in await fetch(database, query)] == [0]


def summary(requests: Sequence[Request], events: Sequence[Event]) -> str:
    statuses = Counter(request.status for request in requests)
    retried = sum(request.was_retried for request in requests)
    replayed = sum(request.was_replayed for request in requests)
    return (
        f"{len(requests)} requests, {len(events)} events; by status: {dict(statuses)};"
        f" {retried} with a key were sent again, of which {replayed} had been carried out"
    )
