"""How tasks look in a calendar (RFC 5545)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vDuration, vText

from glasswork.core.statements import AnyRow

REFRESHED: Final = timedelta(hours=1)
"""How often a calendar is asked to look again."""

_CONTROLS: Final = {code: None for code in (*range(32), 127) if chr(code) not in "\t\n"}
"""What a text of the format must not have; of line breaks the line feed is one alone."""


def write(feed: AnyRow, tasks: Sequence[AnyRow], base_url: str) -> bytes:
    """The calendar of a feed; the same tasks are the same bytes."""
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//Glasswork//Tasks//EN")
    for name in ("name", "x-wr-calname"):
        calendar[name] = vText(_plain(feed.name).replace("\n", " "))
    calendar.add("refresh-interval", REFRESHED, parameters={"VALUE": "DURATION"})
    calendar["x-published-ttl"] = vDuration(REFRESHED)
    zone = ZoneInfo(feed.time_zone)
    for task in tasks:
        calendar.add_component(_event(task, zone, f"{base_url}/tasks/{task.id}"))
    content: bytes = calendar.to_ical()
    return content


def _event(task: AnyRow, zone: ZoneInfo, url: str) -> Event:
    event = Event()
    fields: dict[str, Any] = {
        "uid": f"{task.id}@glasswork",
        "dtstamp": task.updated_at,
        "last-modified": task.updated_at,
        "created": task.created_at,
        "sequence": task.version,
        "dtstart": _moment(task.due_at or task.start_at, zone),
        "summary": _plain(f"{task.key} {task.title}"),
        "description": "\n\n".join(_description(task, url)),
        "url": url,
        "status": "CONFIRMED",
        "transp": "TRANSPARENT",  # a date to keep is no time that is taken
    }
    for name, value in fields.items():
        event.add(name, value)
    return event


def _description(task: AnyRow, url: str) -> Iterator[str]:
    if task.description:
        yield _plain(task.description)
    yield url


def _moment(moment: datetime, zone: ZoneInfo) -> datetime | date:
    """Return the day alone where it begins at this moment."""
    there = moment.astimezone(zone)
    return there.date() if there.time() == time() else moment


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
