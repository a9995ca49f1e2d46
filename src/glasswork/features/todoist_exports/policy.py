"""What a row says."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from glasswork.features.intake.policy import fit, link
from glasswork.features.intake.schemas import CommentRecord, TaskRecord
from glasswork.features.tasks.models import Priority

from .schemas import Place, TodoistOptions

COLUMNS: Final = frozenset({"TYPE", "CONTENT"})
"""Without which it is no export."""
TYPES: Final = frozenset({"task", "section", "note", "meta", ""})
"""Of rows; those that are `meta` say how a project is shown, and empty ones nothing."""

_PRIORITIES: Final = {"1": Priority.URGENT, "2": Priority.HIGH, "3": Priority.MEDIUM}
_END_OF_DAY: Final = time(23, 59)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE: Final = re.compile(
    r"(?:(?P<iso>\d{4}-\d{2}-\d{2})"
    r"|(?:(?P<day>\d{1,2}) (?P<month>[a-z]{3,9})|(?P<month_first>[a-z]{3,9}) (?P<day_second>\d{1,2}),?)"
    r" (?P<year>\d{4}))"
    r"(?: (?:at )?(?P<time>\d{1,2}:\d{2}|\d{1,2}(?::\d{2})? ?[ap]m))?",
    re.ASCII,
)
_LABEL: Final = re.compile(r"(?:(?<=\s)|^)@([^\s@]+)")
_FILE: Final = re.compile(r"\[\[file (\{(?:(?!\[\[file ).)*?\})\]\]", re.DOTALL)
"""Never looks beyond the next one: a cell of many that do not end would take for ever."""
_PERSON: Final = re.compile(r"(.+?) \(\d+\)", re.DOTALL)
_LABEL_LENGTH: Final = 100
_NAME_LENGTH: Final = 300

Row = Mapping[str, str]
"""The cells, without space around them, by the names of all columns."""


def task_of(row: Row, behind: Place, project: str, options: TodoistOptions) -> TaskRecord:
    """Raise pydantic's ValidationError; `behind` is the place behind the row."""
    content = row["CONTENT"]
    title = " ".join(_LABEL.sub("", content).split()) or content
    labels = [name[:_LABEL_LENGTH] for name in [*_LABEL.findall(content), project] if name]
    zone = _zone_of(row.get("TIMEZONE", ""), options)
    on, deadline = (_moment(row.get(name, ""), zone) for name in ("DATE", "DEADLINE"))
    return TaskRecord(
        id=behind.above[-1],
        **fit(title, "\n\n".join(_parts(row, on, deadline))),
        status=options.statuses.get(behind.section),
        section=behind.section or None,
        priority=_PRIORITIES.get(row.get("PRIORITY", ""), Priority.NONE),
        assignees=_people(row.get("RESPONSIBLE", "")),
        labels=list(dict.fromkeys(labels)),
        due_at=deadline or on,
        start_at=on if deadline else None,
        estimate_minutes=_minutes(row),
        parent=behind.above[-2] if len(behind.above) > 1 else None,
        author=next(iter(_people(row.get("AUTHOR", ""))), None),
    )


def comment_of(row: Row, comment_id: str, task_id: str, options: TodoistOptions) -> CommentRecord:
    """Raise pydantic's ValidationError."""
    return CommentRecord(
        id=comment_id,
        task=task_id,
        body=_FILE.sub(_link_of, row["CONTENT"]),
        author=next(iter(_people(row.get("AUTHOR", ""))), None),
        created_at=_moment(row.get("DATE", ""), _zone_of(row.get("TIMEZONE", ""), options)),
    )


def section_of(row: Row) -> str:
    """As the name of a label: it is kept with the position, where no NUL can be."""
    return row["CONTENT"].replace("\0", "")[:_LABEL_LENGTH].strip()


def indent_of(row: Row) -> int:
    cell = row.get("INDENT", "")
    return int(cell) if re.fullmatch(r"[1-9]", cell, re.ASCII) else 1


def _parts(row: Row, on: datetime | None, deadline: datetime | None) -> Iterator[str]:
    """Of the description: what is said, and what has a place here only in words."""
    if row.get("DESCRIPTION"):
        yield row["DESCRIPTION"]
    if on is None and row.get("DATE"):
        yield f"Date: {row['DATE']}"
    if deadline is None and row.get("DEADLINE"):
        yield f"Deadline: {row['DEADLINE']}"
    if _minutes(row) is None and row.get("DURATION", "") not in {"", "None"}:
        yield f"Duration: {row['DURATION']} {row.get('DURATION_UNIT', '')}".rstrip()


def _minutes(row: Row) -> int | None:
    is_plain = row.get("DURATION_UNIT") == "minute" and re.fullmatch(
        r"\d{1,6}", row.get("DURATION", ""), re.ASCII
    )
    return int(row["DURATION"]) if is_plain else None


def _moment(words: str, zone: ZoneInfo) -> datetime | None:
    """None: it is no date, or one that comes again and again, or it does not say which year's it is."""
    moment = None
    with suppress(ValueError):
        found = _DATE.fullmatch(words.lower())
        moment = _combined(found) if found else datetime.fromisoformat(words)
    return moment.replace(tzinfo=zone) if moment and moment.tzinfo is None else moment


def _combined(found: re.Match[str]) -> datetime:
    """Raise ValueError."""
    if found["iso"]:
        day = date.fromisoformat(found["iso"])
    else:
        month = 1 + _MONTHS.index((found["month"] or found["month_first"])[:3])
        day = date(int(found["year"]), month, int(found["day"] or found["day_second"]))
    if found["time"] is None:
        return datetime.combine(day, _END_OF_DAY)
    hours, _, minutes = found["time"].rstrip("apm ").partition(":")
    hour = int(hours)
    if found["time"].endswith("m"):
        hour = hour % 12 + 12 * found["time"].endswith("pm")
    return datetime.combine(day, time(hour, int(minutes or 0)))


def _zone_of(name: str, options: TodoistOptions) -> ZoneInfo:
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(name)
    return ZoneInfo(options.time_zone)


def _people(cell: str) -> list[str]:
    """`Evan (14781400)` is Evan."""
    found = _PERSON.fullmatch(cell)
    name = (found[1] if found else cell)[:_NAME_LENGTH]
    return [name] if name else []


def _link_of(found: re.Match[str]) -> str:
    with suppress(ValueError, KeyError, TypeError):
        file: dict[str, Any] = json.loads(found[1])
        return link(str(file["file_name"]), str(file["file_url"]))
    return found[0]
