"""Days as they are in a time zone, by the database's clock: what is today here is still yesterday there."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, DateTime, case, cast, func, literal


class Period(StrEnum):
    """Whole days; weeks begin on Monday."""

    YESTERDAY = "yesterday"
    TODAY = "today"
    TOMORROW = "tomorrow"
    LAST_WEEK = "last_week"
    THIS_WEEK = "this_week"
    NEXT_WEEK = "next_week"


_DAYS_FROM_TODAY = {Period.YESTERDAY: -1, Period.TODAY: 0, Period.TOMORROW: 1}
_WEEKS_FROM_THIS = {Period.LAST_WEEK: -1, Period.THIS_WEEK: 0, Period.NEXT_WEEK: 1}
_HOUR = timedelta(hours=1)

Zone = str | ColumnElement[str]
"""A name of the IANA database, or where it stands."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many days, weeks, months or years from today; back if negative."""

    count: int
    unit: str
    """`d`, `w`, `m` or `y`."""


@dataclass(frozen=True, slots=True)
class Moments:
    """From `first` on and up to `end`, which is not part of it."""

    first: ColumnElement[datetime]
    end: ColumnElement[datetime]

    @classmethod
    def of(cls, days: date | Period | Amount, zone: Zone) -> "Moments":
        first, end = _days(days, zone)
        return cls(_start_of(first, zone), _start_of(end, zone))


def _days(days: date | Period | Amount, zone: Zone) -> tuple[Any, Any]:
    match days:
        case Period() if days in _DAYS_FROM_TODAY:
            first = _today(zone) + _DAYS_FROM_TODAY[days]
        case Period():
            monday = cast(func.date_trunc("week", func.timezone(zone, func.now())), Date)
            first = monday + 7 * _WEEKS_FROM_THIS[days]
            return first, first + 7
        case Amount(count, unit):
            first = cast(_today(zone) + _interval(count, unit), Date)
        case _:
            first = literal(days, Date)
    return first, first + 1


def _today(zone: Zone) -> ColumnElement[date]:
    return cast(func.timezone(zone, func.now()), Date)


def _interval(count: int, unit: str) -> ColumnElement[timedelta]:
    years, months = (count if unit == each else 0 for each in "ym")
    weeks, days = (count if unit == each else 0 for each in "wd")
    return func.make_interval(years, months, weeks, days)


def _start_of(day: ColumnElement[date], zone: Zone) -> ColumnElement[datetime]:
    """Where clocks are put back over midnight the day has two of them, and begins with the first."""
    midnight = cast(day, DateTime)
    moment = func.timezone(zone, midnight)
    return case((func.timezone(zone, moment - _HOUR) >= midnight, moment - _HOUR), else_=moment)
