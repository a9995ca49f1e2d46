"""What the values of a filter's fields can mean: readers for core/query_language.py."""

import re
from collections.abc import Sequence
from datetime import date

from glasswork.core.local_time import Amount, Period
from glasswork.core.query_language import Reader, Value

NONE = "none"

_AMOUNT = re.compile(r"([0-9]{1,3})([dwmy])")
_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def name(value: Value) -> str:
    _refuse_operator(value)
    return value.text


def choice(*choices: str) -> Reader:
    def read(value: Value) -> str:
        _refuse_operator(value)
        if value.keyword not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value.keyword

    return read


def rank(ranks: Sequence[str]) -> Reader:
    """Return the ranks that are meant, given all of them in rising order."""

    def read(value: Value) -> Sequence[str]:
        if value.keyword not in ranks:
            raise ValueError(f"one of {', '.join(ranks)}")
        place = ranks.index(value.keyword)
        match value.operator:
            case "<":
                return ranks[:place]
            case "<=":
                return ranks[: place + 1]
            case ">":
                return ranks[place + 1 :]
            case ">=":
                return ranks[place:]
            case _:
                return [ranks[place]]

    return read


def key(value: Value) -> tuple[str, int] | None:
    """Of a task: its project's key, and its number."""
    _refuse_operator(value)
    if value.keyword == NONE:
        return None
    found = re.fullmatch(r"([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,8})", value.text.upper())
    if found is None:
        raise ValueError("the key of a task such as OPS-42, or none")
    return found[1], int(found[2])


def days(value: Value) -> date | Period | Amount | None:
    if value.keyword == NONE:
        _refuse_operator(value)
        return None
    if value.keyword in list(Period):
        return Period(value.keyword)
    if amount := _AMOUNT.fullmatch(value.text):
        return Amount(int(amount[1]), amount[2])
    try:
        if _DAY.fullmatch(value.text) and 1900 <= (day := date.fromisoformat(value.text)).year <= 9000:  # noqa: PLR2004 (as of every Timestamp)
            return day
    except ValueError:
        pass
    raise ValueError(
        f"a day such as 2026-03-01, an amount such as 7d, 2w, 3m or 1y, {', '.join(Period)}, none"
    )


def minutes(value: Value) -> int | None:
    if value.keyword == NONE:
        _refuse_operator(value)
        return None
    found = _DURATION.fullmatch(value.text)
    if found is None or not value.text:
        raise ValueError("a duration such as 30m, 2h or 1h30m, or none")
    return 60 * int(found[1] or 0) + int(found[2] or 0)


def _refuse_operator(value: Value) -> None:
    if value.operator:
        raise ValueError(f"no {value.operator} here")
