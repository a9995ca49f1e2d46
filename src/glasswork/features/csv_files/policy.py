"""What a row says, by the columns that its fields stand in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from glasswork.features.intake.schemas import TaskRecord

from .errors import UnknownColumnsError
from .schemas import CsvMapping, CsvOptions, DateOrder, ListColumn, ValuesColumn

_DELIMITERS: Final = ",;\t|"
_MOMENTS: Final = ("due_at", "start_at", "created_at", "updated_at", "completed_at")
_END_OF_DAY: Final = time(23, 59)
_DATE: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2})?))?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_IN_EXPORTS: Final = {"number": "key", "parent": "parent_id", "author": "creator"}
"""Columns of our own exports that are not called like what they are here."""
_NUMBER: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9]*-)?(\d+)", re.ASCII)
_GUARDED: Final = re.compile(r"'[=+\-@\t\r\n']")
"""What a spreadsheet would take for a formula, as careful exports write it."""


def delimiter_of(header: bytes) -> str:
    return max(_DELIMITERS, key=lambda each: header.count(each.encode()))


@dataclass(frozen=True, slots=True)
class Reader:
    """Makes records of rows."""

    columns: Mapping[str, int]
    """Which column each field stands in."""
    values: Mapping[str, Mapping[str, str]]
    separator: str
    date_order: DateOrder
    zone: ZoneInfo

    def read(self, cells: Sequence[str], place: int) -> TaskRecord:
        """Raise pydantic's ValidationError; a row without an `id` is known by its place."""
        fields: dict[str, Any] = {}
        for name, column in self.columns.items():
            cell = cells[column] if column < len(cells) else ""
            if _GUARDED.match(cell):
                cell = cell[1:]
            if cell.strip():
                fields[name] = cell if name == "description" else self._value(name, cell.strip())
        fields.setdefault("id", str(place))
        fields["is_done"] = "completed_at" in fields
        return TaskRecord.model_validate(fields)

    def _value(self, name: str, cell: str) -> Any:
        cell = self.values.get(name, {}).get(cell, cell)
        if name == "priority":
            return cell.lower()
        if name == "labels":
            return list(dict.fromkeys(part.strip() for part in cell.split(self.separator) if part.strip()))
        if name == "number":
            found = _NUMBER.fullmatch(cell)
            return found[1] if found else cell
        if name in _MOMENTS:
            return self._moment(cell, _END_OF_DAY if name == "due_at" else time())
        return cell

    def _moment(self, cell: str, otherwise: time) -> datetime | str:
        """What is no date is left for the schema to refuse."""
        try:
            found = _DATE.fullmatch(cell)
            if found:
                first, second, year = int(found[1]), int(found[3]), int(found[4])
                month, day = (first, second) if self.date_order is DateOrder.MDY else (second, first)
                at = time.fromisoformat(found[5].zfill(5)) if found[5] else otherwise
                moment = datetime.combine(date(year, month, day), at)
            elif _DAY.fullmatch(cell):
                moment = datetime.combine(date.fromisoformat(cell), otherwise)
            else:
                moment = datetime.fromisoformat(cell)
        except ValueError:
            return cell
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)


def reader_of(header: Sequence[str], options: CsvOptions) -> Reader:
    """Raise UnknownColumnsError."""
    places = {name.strip(): place for place, name in reversed(list(enumerate(header)))}
    mapping = options.mapping or _mapping_of(places)
    fields = {name: column for name, column in mapping if column is not None}
    names = {name: column if isinstance(column, str) else column.column for name, column in fields.items()}
    if unknown := [name for name in names.values() if name not in places]:
        raise UnknownColumnsError(unknown, list(places)[::-1])
    labels = fields.get("labels")
    return Reader(
        columns={name: places[column] for name, column in names.items()},
        values={name: column.values for name, column in fields.items() if isinstance(column, ValuesColumn)},
        separator=labels.separator if isinstance(labels, ListColumn) else ",",
        date_order=options.date_order,
        zone=ZoneInfo(options.time_zone),
    )


def _mapping_of(places: Mapping[str, int]) -> CsvMapping:
    """`Due at` is `due_at`."""
    columns = {name.casefold().replace(" ", "_"): name for name in places}
    named = {
        field: columns[name]
        for field in CsvMapping.model_fields
        for name in (field, _IN_EXPORTS.get(field))
        if name in columns
    }
    return CsvMapping(**{"title": "title"} | named)
