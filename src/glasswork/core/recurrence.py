"""When something is due again: the days that a rule of RFC 5545 names, at a wall time of a zone.

dateutil finds the days, a month or a year at a time: left to itself it looks for one that never comes until
the year 9999. Where clocks are put forward over the wall time, it is the time that they then show; where they
are put back and show it twice, it is the first of the two.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Final, Literal, NoReturn, Self
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import MO, MONTHLY, YEARLY, rrule, weekday

MAX_LENGTH: Final = 200
ALLOWED: Final = (
    "allowed is one rule such as FREQ=WEEKLY;BYDAY=MO, of at most 200 characters, with FREQ (DAILY, WEEKLY,"
    " MONTHLY or YEARLY), INTERVAL (1 to 999), COUNT (1 to 999) or UNTIL (20261231 or 20261231T235959Z), WKST"
    " and lists of BYDAY (MO; with MONTHLY and YEARLY also 1MO or -1FR), BYMONTH, BYMONTHDAY (not with"
    " WEEKLY) and BYSETPOS (with MONTHLY and YEARLY)"
)
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY: Final = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(_DAYS)})")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,3}")
_UNTIL: Final = re.compile(r"[0-9]{8}(T[0-9]{6}Z)?")
_YEARS_AHEAD: Final = 50
"""A rule that names no day in so many of its periods names none."""
_LAST_YEAR: Final = 9000
_BEYOND: Final = 12 * 10_000
"""A step out of the calendar: dateutil stops after the first period."""


class InvalidRecurrenceError(ValueError):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        """`rule` or `time_zone`."""


def _refuse(reason: str) -> NoReturn:
    raise InvalidRecurrenceError("rule", f"{reason}; {ALLOWED}")


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high or int(text) == 0:
            _refuse(f"{text!r} is not a number from {low} to {high} that may stand there")
        return int(text)

    return read


def _list(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [read(item) for item in text.split(",")]


def _day(text: str) -> weekday:
    found = _DAY.fullmatch(text)
    if not found or (found[1] and int(found[1]) == 0):
        _refuse(f"{text!r} is no day of the week")
    return weekday(_DAYS.index(found[2]), int(found[1]) if found[1] else None)


def _until(text: str) -> date | datetime:
    try:
        if _UNTIL.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return moment if "T" in text else moment.date()
    except ValueError:
        pass
    _refuse(f"{text!r} is no end")


def _frequency(text: str) -> str:
    if text not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}:
        _refuse(f"{text!r} is no frequency")
    return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "FREQ": _frequency,
    "INTERVAL": _number(1, 999),
    "COUNT": _number(1, 999),
    "UNTIL": _until,
    "WKST": _day,
    "BYDAY": _list(_day),
    "BYMONTH": _list(_number(1, 12)),
    "BYMONTHDAY": _list(_number(-31, 31)),
    "BYSETPOS": _list(_number(-366, 366)),
}


@dataclass(frozen=True, slots=True)
class Rule:
    frequency: str
    interval: int
    count: int | None
    until: date | datetime | None
    week_start: int
    by: Mapping[str, Any]
    """As dateutil calls them."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) > MAX_LENGTH:
            _refuse("it is too long")
        parts: dict[str, Any] = {}
        for part in text.split(";"):
            name, _, value = part.partition("=")
            if name not in _READERS or name in parts:
                _refuse(f"{part!r} may not stand there")
            parts[name] = _READERS[name](value)
        _check_together(parts)
        by = {"byweekday": "BYDAY", "bymonth": "BYMONTH", "bymonthday": "BYMONTHDAY", "bysetpos": "BYSETPOS"}
        return cls(
            frequency=parts["FREQ"],
            interval=parts.get("INTERVAL", 1),
            count=parts.get("COUNT"),
            until=parts.get("UNTIL"),
            week_start=parts.get("WKST", MO).weekday,
            by={name: parts[part] for name, part in by.items() if part in parts},
        )

    def days(self, first: date, start: date) -> Iterator[date]:
        """Yield the days from `first` on, which INTERVAL counts from; those before `start` may be missing."""
        by = self._by(first)
        for period in self._periods(first, start):
            unit: Literal[0, 1] = YEARLY if self.frequency == "YEARLY" else MONTHLY
            for moment in rrule(unit, dtstart=period, interval=_BEYOND, **by):
                if moment.date() >= first and self._is_in_phase(moment.date(), first):
                    yield moment.date()

    def _by(self, first: date) -> dict[str, Any]:
        """What the rule leaves open the first day tells."""
        by = dict(self.by)
        if "byweekday" in by or "bymonthday" in by:
            return by
        match self.frequency:
            case "DAILY":
                by["byweekday"] = range(7)
            case "WEEKLY":
                by["byweekday"] = first.weekday()
            case "MONTHLY":
                by["bymonthday"] = first.day
            case _:
                by.setdefault("bymonth", first.month)
                by["bymonthday"] = first.day
        return by

    def _periods(self, first: date, start: date) -> Iterator[datetime]:
        """Yield the first days of years or months; weeks and days are looked for in every month."""
        months = 12 if self.frequency == "YEARLY" else 1
        step = months * self.interval if self.frequency in {"MONTHLY", "YEARLY"} else 1
        origin = first.year * 12 + (first.month - 1) // months * months
        passed = start.year * 12 + start.month - 1 - origin
        for n in range(_YEARS_AHEAD * 12 // months):
            year, month = divmod(origin + (passed // step + n) * step, 12)
            if year > _LAST_YEAR:
                return
            yield datetime(year, month + 1, 1)  # noqa: DTZ001 (a day in any zone)

    def _is_in_phase(self, day: date, first: date) -> bool:
        match self.frequency:
            case "DAILY":
                return (day - first).days % self.interval == 0
            case "WEEKLY":
                return (self._week(day) - self._week(first)).days // 7 % self.interval == 0
            case _:
                return True

    def _week(self, day: date) -> date:
        return day - timedelta(days=(day.weekday() - self.week_start) % 7)


def _check_together(parts: Mapping[str, Any]) -> None:
    days = parts.get("BYDAY", [])
    ordinals = [day.n for day in days if day.n is not None]
    if "FREQ" not in parts:
        _refuse("FREQ is missing")
    if "COUNT" in parts and "UNTIL" in parts:
        _refuse("COUNT and UNTIL do not go together")
    if parts["FREQ"] == "WEEKLY" and "BYMONTHDAY" in parts:
        _refuse("BYMONTHDAY does not go with WEEKLY")
    if parts["FREQ"] in {"DAILY", "WEEKLY"} and (ordinals or "BYSETPOS" in parts):
        _refuse(f"numbered days and BYSETPOS do not go with {parts['FREQ']}")
    if ordinals and len(ordinals) < len(days):
        _refuse("either all days are numbered or none")
    largest = 5 if parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts else 53
    if any(abs(n) > largest for n in ordinals):
        _refuse(f"days are numbered up to {largest} here")
    if parts.get("WKST", MO).n is not None:
        _refuse("WKST is a day without a number")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class Recurrence:
    rule: Rule
    zone: ZoneInfo
    anchor: datetime
    """The first date: INTERVAL and COUNT start with it, and its wall time is that of all."""

    @classmethod
    def of(cls, rule: str, time_zone: str, anchor: datetime) -> Self:
        if time_zone not in _zones():
            raise InvalidRecurrenceError("time_zone", "must be a zone of the IANA database")
        return cls(Rule.parse(rule), ZoneInfo(time_zone), anchor)

    def check(self) -> None:
        if self.next_after(self.anchor) is None:
            _refuse("it names no day after the first")

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first moment of the rule after this one, in UTC; None: there is none left."""
        first = self.anchor.astimezone(self.zone)
        # Those that COUNT counts must all be seen; else the days long before it need not be.
        start = first if self.rule.count else max(first, (after - timedelta(days=2)).astimezone(self.zone))
        for n, day in enumerate(self.rule.days(first.date(), start.date())):
            moment = self._moment(day, first.time())
            if (self.rule.count is not None and n >= self.rule.count) or self._is_over(day, moment):
                return None
            if moment > after:
                return moment
        return None

    def shift(self, moment: datetime, before: datetime, after: datetime) -> datetime:
        """Move it by the wall time from `before` to `after`."""
        was, is_, local = (
            each.astimezone(self.zone).replace(tzinfo=None) for each in (before, after, moment)
        )
        shifted = local + (is_ - was)
        return self._moment(shifted.date(), shifted.time())

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at.replace(fold=0), self.zone).astimezone(UTC)

    def _is_over(self, day: date, moment: datetime) -> bool:
        until = self.rule.until
        if isinstance(until, datetime):
            return moment > until
        return until is not None and day > until
