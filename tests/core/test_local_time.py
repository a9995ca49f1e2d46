from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from glasswork.core.db import Database
from glasswork.core.local_time import Amount, Moments, Period

pytestmark = pytest.mark.anyio

BEHIND, AHEAD = "Etc/GMT+12", "Pacific/Kiritimati"
"""They are 26 hours apart: in one of them it is always another day than in UTC."""


async def moments(database: Database, days: date | Period | Amount, zone: str) -> tuple[datetime, datetime]:
    wanted = Moments.of(days, zone)
    async with database.reading() as session:
        first, end = (await session.execute(select(wanted.first, wanted.end))).one()
    return first, end


async def today(database: Database, zone: str) -> date:
    async with database.reading() as session:
        now: datetime = (await session.execute(select(func.now()))).scalar_one()
    return now.astimezone(ZoneInfo(zone)).date()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("day", "zone", "first", "end"),
    [
        (date(2026, 7, 1), "UTC", utc(2026, 7, 1), utc(2026, 7, 2)),
        (date(2026, 7, 1), AHEAD, utc(2026, 6, 30, 10), utc(2026, 7, 1, 10)),
        (date(2026, 3, 29), "Europe/Berlin", utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
        (date(2026, 10, 25), "Europe/Berlin", utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
        # There is no midnight: clocks go from 0:00 to 1:00.
        (date(2026, 3, 29), "Asia/Beirut", utc(2026, 3, 28, 22), utc(2026, 3, 29, 21)),
        (date(2026, 3, 28), "Asia/Beirut", utc(2026, 3, 27, 22), utc(2026, 3, 28, 22)),
        # There are two: clocks go from 1:00 back to 0:00.
        (date(2026, 11, 1), "America/Havana", utc(2026, 11, 1, 4), utc(2026, 11, 2, 5)),
        (date(2026, 10, 31), "America/Havana", utc(2026, 10, 31, 4), utc(2026, 11, 1, 4)),
    ],
)
async def test_a_day_is_as_long_as_it_is_there(
    database: Database, day: date, zone: str, first: datetime, end: datetime
) -> None:
    assert await moments(database, day, zone) == (first, end)


@pytest.mark.parametrize("zone", ["UTC", BEHIND, AHEAD, "America/New_York"])
async def test_periods_are_of_the_zone(database: Database, zone: str) -> None:
    day = await today(database, zone)
    monday = day - timedelta(days=day.weekday())
    expected = {
        Period.YESTERDAY: (day - timedelta(1), day),
        Period.TODAY: (day, day + timedelta(1)),
        Period.TOMORROW: (day + timedelta(1), day + timedelta(2)),
        Period.LAST_WEEK: (monday - timedelta(7), monday),
        Period.THIS_WEEK: (monday, monday + timedelta(7)),
        Period.NEXT_WEEK: (monday + timedelta(7), monday + timedelta(14)),
    }
    for period, (first, end) in expected.items():
        starts = [datetime(each.year, each.month, each.day, tzinfo=ZoneInfo(zone)) for each in (first, end)]
        assert list(await moments(database, period, zone)) == starts, period


@pytest.mark.parametrize("zone", [BEHIND, AHEAD])
async def test_amounts_are_from_today(database: Database, zone: str) -> None:
    day = await today(database, zone)
    for amount, ahead in [(Amount(3, "d"), 3), (Amount(-3, "d"), -3), (Amount(2, "w"), 14)]:
        there = day + timedelta(ahead)
        assert await moments(database, amount, zone) == await moments(database, there, zone)
    for amount in (Amount(12, "m"), Amount(1, "y")):
        first, _ = await moments(database, amount, zone)
        local = first.astimezone(ZoneInfo(zone))
        assert (local.year, local.month) == (day.year + 1, day.month)
