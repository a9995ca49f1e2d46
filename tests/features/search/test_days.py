"""What is due today, in a zone where today is another day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from tests.factories.callers import Caller, Callers
from tests.features.search.lists import make_tasks, path_of, titles

pytestmark = pytest.mark.anyio

BEHIND, AHEAD = "Etc/GMT+12", "Pacific/Kiritimati"
INSTANT = timedelta(microseconds=1)


async def now(callers: Callers) -> datetime:
    """The database's, which stands still within the test."""
    async with callers.database.reading() as session:
        moment: datetime = (await session.execute(select(func.now()))).scalar_one()
    return moment


def start_of(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def due(moment: datetime) -> dict[str, Any]:
    return {"due_at": moment.astimezone(UTC).isoformat()}


@pytest.mark.parametrize("zone", ["UTC", BEHIND, AHEAD, "America/New_York"])
async def test_days_begin_and_end_at_midnight_there(
    owner: Caller, callers: Callers, project: dict[str, Any], zone: str
) -> None:
    today = (await now(callers)).astimezone(ZoneInfo(zone)).date()
    starts = [start_of(today + timedelta(n), zone) for n in range(3)]
    edges = [edge for start in starts for edge in (start - INSTANT, start)]
    await make_tasks(
        owner, project, g={}, **{key: due(edge) for key, edge in zip("abcdef", edges, strict=True)}
    )
    path, query = path_of(project), {"time_zone": zone}
    assert await titles(owner, path, **query, due="today") == "bc"
    assert await titles(owner, path, **query, due="tomorrow") == "de"
    assert await titles(owner, path, **query, due=["today", "none"]) == "bcg"
    assert await titles(owner, path, **query, filter="due:today") == "bc"
    assert await titles(owner, path, **query, filter="due:yesterday") == "a"
    assert await titles(owner, path, **query, filter="due:<today") == "a"
    assert await titles(owner, path, **query, filter="due:<=today") == "abc"
    assert await titles(owner, path, **query, filter="due:>today") == "def"
    assert await titles(owner, path, **query, filter="due:>=today") == "bcdef"
    assert await titles(owner, path, **query, filter="due:1d") == "de"
    assert await titles(owner, path, **query, filter="due:<1d") == "abc"
    assert await titles(owner, path, **query, filter="due:>1d") == "f"
    assert await titles(owner, path, **query, filter=f"due:{today}") == "bc"
    assert await titles(owner, path, **query, filter=f"-due:>={today}") == "ag"
    assert await titles(owner, path, **query, filter="due:none,2d") == "fg"


@pytest.mark.parametrize("zone", [BEHIND, AHEAD])
async def test_today_is_another_day_elsewhere(
    owner: Caller, callers: Callers, project: dict[str, Any], zone: str
) -> None:
    moment = await now(callers)
    here, there = (start_of(moment.astimezone(ZoneInfo(each)).date(), each) for each in ("UTC", zone))
    await make_tasks(owner, project, a=due(min(here, there)))
    found = {
        each: await titles(owner, path_of(project), due="today", time_zone=each) for each in ("UTC", zone)
    }
    assert sorted(found.values()) in (["", "a"], ["a", "a"])
    assert found["UTC" if here <= there else zone] == "a"


@pytest.mark.parametrize("zone", ["UTC", BEHIND, AHEAD])
async def test_weeks_begin_on_monday_there(
    owner: Caller, callers: Callers, project: dict[str, Any], zone: str
) -> None:
    today = (await now(callers)).astimezone(ZoneInfo(zone)).date()
    monday = today - timedelta(today.weekday())
    starts = [start_of(monday + timedelta(7 * n), zone) for n in range(3)]
    edges = [edge for start in starts for edge in (start - INSTANT, start)]
    await make_tasks(owner, project, **{key: due(edge) for key, edge in zip("abcdef", edges, strict=True)})
    assert await titles(owner, path_of(project), time_zone=zone, due="this_week") == "bc"
    assert await titles(owner, path_of(project), time_zone=zone, due="next_week") == "de"
    assert await titles(owner, path_of(project), time_zone=zone, filter="due:last_week") == "a"


async def test_overdue_is_what_is_late_and_not_done(
    owner: Caller, callers: Callers, project: dict[str, Any]
) -> None:
    moment = await now(callers)
    late, soon = due(moment - INSTANT), due(moment + timedelta(hours=1))
    await make_tasks(owner, project, a=late, b=late | {"status": "done"}, c=soon, d={}, e=due(moment))
    assert await titles(owner, path_of(project), due="overdue") == "a"
    assert await titles(owner, path_of(project), filter="is:overdue") == "a"
    assert await titles(owner, path_of(project), filter="-is:overdue") == "bcde"
    assert await titles(owner, path_of(project), due=["overdue", "none"]) == "ad"


async def test_an_unknown_zone_is_refused(owner: Caller, project: dict[str, Any]) -> None:
    refused = await owner.get(path_of(project), time_zone="Mars/Base")
    assert refused.status_code == 422
    assert refused.json()["error"]["details"]["errors"][0]["code"] == "unknown_time_zone"
    assert (await owner.get(path_of(project), time_zone="Europe/Berlin", due="today")).status_code == 200
