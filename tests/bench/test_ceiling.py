"""The ceiling does what the app does: the same bodies of reads, and the same rows of writes."""

import json
from itertools import islice
from typing import Any

import pytest
from journeys import JOURNEYS, READS, Journey
from recording import send

from .conftest import Bench

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.xdist_group("bench")]

MANY = 25
OWN = {"id", "key", "position", "created_at", "updated_at", "access_token", "refresh_token", "version"}
"""Differ from answer to answer."""
LAST_EVENT = """
    SELECT to_jsonb(event) FROM workspace_events AS event WHERE workspace_id = $1 ORDER BY seq DESC LIMIT 1
"""


@pytest.mark.parametrize("journey", READS, ids=lambda journey: journey.name)
async def test_reads_answer_byte_for_byte(bench: Bench, journey: Journey) -> None:
    requests = journey.requests(bench.place, bench.recording.fingerprint)
    assert len(requests) >= 10
    for request in islice(requests, MANY):
        mine, theirs = await send(bench.ceiling, journey, request), await send(bench.app, journey, request)
        assert mine.content == theirs.content
        assert len(theirs.content) > 500


@pytest.mark.parametrize(
    "journey", [journey for journey in JOURNEYS if journey.writes], ids=lambda journey: journey.name
)
async def test_writes_answer_alike(bench: Bench, journey: Journey) -> None:
    request = journey.requests(bench.place, "")[0]
    mine = (await send(bench.ceiling, journey, request)).json()
    theirs = (await send(bench.app, journey, request)).json()
    assert list(mine) == list(theirs)
    assert without(mine, OWN) == without(theirs, OWN)


async def test_a_created_task_stands_at_its_number_and_is_told(bench: Bench) -> None:
    journey = next(journey for journey in JOURNEYS if journey.name == "create")
    request = journey.requests(bench.place, "")[0]
    events, tasks = [], []
    for client in (bench.app, bench.ceiling, bench.app):
        tasks.append((await send(client, journey, request)).json())
        events.append(await last_event(bench))
    numbers = [int(task["key"].rpartition("-")[2]) for task in tasks]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    positions = [task["position"] for task in tasks]
    assert positions == sorted(positions)
    assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + 3))
    (theirs, mine, _) = [
        without(event, {"id", "seq", "at", "subject_id", "after", *TRACE}) for event in events
    ]
    assert mine == theirs
    after = [without(event["after"], OWN) for event in events]
    assert after[1] == after[0]
    assert events[1]["after"].keys() == events[0]["after"].keys()
    assert events[1]["subject_id"] == tasks[1]["id"]


async def test_a_change_is_told(bench: Bench) -> None:
    journey = next(journey for journey in JOURNEYS if journey.name == "patch")
    first, second = journey.requests(bench.place, "")[5:7]
    events = []
    for client, body in ((bench.app, first.body), (bench.ceiling, second.body)):
        before = (await bench.app.get(first.path)).json()
        request = type(first)("PATCH", first.path, body=body)
        after = (await send(client, journey, request)).json()
        events.append(await last_event(bench))
        assert after["version"] == before["version"] + 1
        assert events[-1]["before"]["estimate_minutes"] == before["estimate_minutes"]
        assert events[-1]["after"]["estimate_minutes"] == after["estimate_minutes"]
    theirs, mine = events
    assert mine.keys() == theirs.keys()
    assert mine["after"].keys() == theirs["after"].keys()
    assert mine["before"].keys() == theirs["before"].keys()
    assert mine["seq"] == theirs["seq"] + 1


async def test_a_stranger_is_given_nothing(bench: Bench) -> None:
    """Rights are asked by the statement here, too."""
    stranger = {"Authorization": "Bearer none"}
    with pytest.raises(Exception, match="access token"):
        await bench.ceiling.get(f"/api/v1/tasks/{bench.place.targets[0].task_id}", headers=stranger)


TRACE = {"request_id", "traceparent"}


def without(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


async def last_event(bench: Bench) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await bench.owner.fetchval(LAST_EVENT, bench.place.workspace_id))
    return event
