"""The bodies of the ceiling's reads: from rows to what the app answers, with as little as that takes."""

from collections.abc import Callable, Mapping
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import msgspec
from recorded import PAGE, write_cursor

COLUMN = 20
"""Tasks of a board's column."""
MARKS = {"\x02": "<mark>", "\x03": "</mark>"}

Show = Callable[[list[Any], str], Any]
"""Makes the answer of the rows, and of the fingerprint that its cursor begins with."""


class Shape(Protocol):
    """What `Read` tells of a statement."""

    fingerprints: dict[str, str]

    def shower(self, place: str, prefix: str = "") -> Callable[[Any], dict[str, Any]]: ...


def _cursor(fingerprint: str, row: Any) -> str:
    return write_cursor([fingerprint, *msgspec.to_builtins([row["sort_0"], row["sort_1"]])])


def _one(read: Shape) -> Show:
    show = read.shower("")
    return lambda rows, _: show(rows[0])


def _page_of(show: Callable[[Any], Any]) -> Show:
    def page(rows: list[Any], fingerprint: str) -> Any:
        more = _cursor(fingerprint, rows[PAGE - 1]) if len(rows) > PAGE else None
        return {"items": [show(row) for row in rows[:PAGE]], "next_cursor": more, "total": None}

    return page


def _page(read: Shape) -> Show:
    return _page_of(read.shower("items"))


def _found(read: Shape) -> Show:
    show = read.shower("items.task")

    def hit(row: Any) -> Any:
        comment_id = row["comment_id"]
        return {
            "task": show(row),
            "rank": row["rank"],
            "title": _marked(row["marked_title"]),
            "snippet": _marked(row["marked_text"]),
            "comment": comment_id and {"id": comment_id, "snippet": _marked(row["marked_comment"])},
        }

    return _page_of(hit)


def _marked(text: str) -> str:
    text = escape(text, quote=False)
    for mark, tag in MARKS.items():
        text = text.replace(mark, tag)
    return text


def _board(read: Shape) -> Show:
    show, show_status = read.shower("columns.items"), read.shower("columns.status", "column_")

    def column(rows: list[Any]) -> Any:
        first, tasks = rows[0], [row for row in rows if row["id"] is not None]
        has_more = len(tasks) > COLUMN
        fingerprint = read.fingerprints.get(first["column_key"], "")
        return {
            "status": show_status(first),
            "count": first["column_count"],
            "items": [show(row) for row in tasks[:COLUMN]],
            "next_cursor": _cursor(fingerprint, tasks[COLUMN - 1]) if has_more else None,
        }

    def shown(rows: list[Any], _: str) -> Any:
        return {"columns": [column(list(of_one)) for _, of_one in groupby(rows, itemgetter("column_id"))]}

    return shown


def _changes(_: Shape) -> Show:
    def change(row: Any) -> Any:
        subject = msgspec.json.decode(row["subject"])
        before, after = _as_it_is(row["before"]), _as_it_is(row["after"])
        return {**row, "subject": subject, "before": before, "after": after}

    return lambda rows, _: {"items": [change(row) for row in rows], "next_cursor": str(rows[-1]["seq"])}


def _as_it_is(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


SHOWN: Mapping[str, Callable[[Shape], Show]] = {
    "get": _one,
    "list": _page,
    "filtered": _page,
    "search": _found,
    "board": _board,
    "changes": _changes,
}
"""By the journey."""
