"""The types that a field can have: what is written after its name."""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Final

from glasswork.core.decimals import Exact

from .errors import RefusedError
from .kinds import Filter, Kind, Order

LONGEST_LINE: Final = 10_000
LONGEST_TEXT: Final = 10_000
MOST_DIGITS: Final = 28
_CHOICE = re.compile(r"[a-z][a-z0-9_]{0,31}")

_TEXT_ORDER: Final = Order("str", '""', r'"\U0010ffff"')
_NUL: Final = r'"a\0"'


def string(room: int) -> Kind:
    samples = ('"Alpha"', '"Beta"', '"Gamma"') if room >= len("Alpha") else ('"a"', '"b"', '"c"')

    def default(text: str) -> tuple[str, str] | None:
        return (_quoted(text), _quoted(text)) if 0 < len(text.strip()) == len(text) <= room else None

    return Kind(
        python="str",
        taken=f"Annotated[Line, Field(max_length={room})]",
        ddl="sa.Text()",
        samples=samples,
        faults=('""', '" "', f'"x" * {room + 1}', _NUL, "1"),
        filter=Filter.ANY,
        order=_TEXT_ORDER,
        collation='.collate("C")',
        room=room,
        default=default,
    )


def free_text(longest: int) -> Kind:
    return Kind(
        python="str",
        taken=f"Annotated[Text, Field(max_length={longest:_})]",
        ddl="sa.Text()",
        samples=('"First words."', '"Second words."', '"Third words."'),
        faults=(f'"x" * {longest + 1:_}', _NUL, "1"),
        room=longest,
        default=lambda text: (_quoted(text), _quoted(text)),
    )


def whole_number() -> Kind:
    def default(text: str) -> tuple[str, str] | None:
        is_number = text.removeprefix("-").isdecimal() and text.isascii()
        return (str(int(text)),) * 2 if is_number and -(2**31) <= int(text) < 2**31 else None

    return Kind(
        python="int",
        taken="Annotated[Int32, JsonNumber]",
        asked="Int32",
        ddl="sa.Integer()",
        samples=("1", "2", "3"),
        faults=('"1"', "2**31", "1.5", "True"),
        filter=Filter.WITHIN,
        order=Order("int", "-(2**31)", "2**31 - 1"),
        default=default,
    )


def truth() -> Kind:
    known: Mapping[str, tuple[str, str]] = {"true": ("True", "True"), "false": ("False", "False")}
    return Kind(
        python="bool",
        taken="bool",
        ddl="sa.Boolean()",
        samples=("False", "True", "True"),
        faults=('"perhaps"', "2"),
        filter=Filter.EQUAL,
        default=known.get,
    )


def day() -> Kind:
    return Kind(
        python="date",
        taken="Day",
        ddl="sa.Date()",
        samples=('"2026-03-01"', '"2026-03-02"', '"2026-03-03"'),
        faults=('"2026-02-30"', '"2026-03-01T00:00:00Z"', "20260301", '"0001-01-01"'),
        filter=Filter.BETWEEN,
        order=Order("date", "date.min", "date.max"),
    )


def moment() -> Kind:
    return Kind(
        python="datetime",
        taken="Timestamp",
        ddl="sa.DateTime(timezone=True)",
        samples=('"2026-03-01T09:00:00Z"', '"2026-03-02T09:00:00Z"', '"2026-03-03T09:00:00Z"'),
        faults=('"2026-03-01T09:00:00"', '"2026-03-01"', "0"),
        filter=Filter.BETWEEN,
        order=Order("AwareDatetime", "datetime(1, 1, 1, tzinfo=UTC)", "datetime(9999, 12, 31, tzinfo=UTC)"),
    )


def address() -> Kind:
    return Kind(
        python="str",
        taken="Url",
        ddl="sa.Text()",
        samples=('"https://example.com/a"', '"https://example.com/b"', '"https://example.com/c"'),
        faults=('"example.com"', '"javascript:alert(1)"', '""'),
        filter=Filter.ANY,
    )


def member() -> Kind:
    return Kind(
        python="UUID",
        taken="UserId",
        ddl="sa.Uuid()",
        samples=("None", "None", "None"),
        faults=('"me"', "1"),
        filter=Filter.MEMBER,
    )


def exact(precision: int, scale: int) -> Kind:
    type_ = Exact(precision, scale)
    whole, zeros = precision - scale, "0" * scale
    first = [f"{n}.{zeros}" if scale else str(n) for n in (1, 2, 3)]
    samples = first if whole else [f"0.{str(n).ljust(scale, '0')}" for n in (1, 2, 3)]
    below = f'"0.{zeros}1"' if scale else '"0.1"'

    def default(text: str) -> tuple[str, str] | None:
        if not re.fullmatch(type_.pattern, text):
            return None
        shown = _quoted(str(type_.read(text)))
        return _decimal(type_.read(text)), shown

    return Kind(
        python="Decimal",
        taken=f"Annotated[Decimal, Exact({precision}, {scale})]",
        ddl=f"sa.Numeric({precision}, {scale})",
        samples=(_quoted(samples[0]), _quoted(samples[1]), _quoted(samples[2])),
        faults=("1", '"1e1"', '"NaN"', f'"1{"0" * whole}"', below),
        column=f"Numeric({precision}, {scale})",
        filter=Filter.WITHIN,
        order=Order("Decimal", _decimal(-type_.greatest), _decimal(type_.greatest)),
        default=default,
        is_exact=True,
    )


def choice(*choices: str) -> Kind:
    first, second, last = choices[0], choices[1], choices[-1]
    return Kind(
        python="",
        taken="",
        ddl="",
        samples=(_quoted(first), _quoted(second), _quoted(last)),
        faults=('"unheard of"', '""', "1"),
        filter=Filter.ANY,
        choices=choices,
        default=lambda text: (text.upper(), _quoted(text)) if text in choices else None,
    )


def _decimal(value: Decimal) -> str:
    """Of a whole number the number itself."""
    return f"Decimal({_quoted(str(value)) if '.' in str(value) else value})"


def _quoted(text: str) -> str:
    """Return the literal, which is the same in Python."""
    return json.dumps(text, ensure_ascii=False)


def _string(arguments: str) -> Kind:
    room = arguments or "200"
    if not room.isdecimal() or not 1 <= int(room) <= LONGEST_LINE:
        raise RefusedError(f"str({arguments}): give the most characters, from 1 to {LONGEST_LINE}.")
    return string(int(room))


def _exact(arguments: str) -> Kind:
    digits = re.fullmatch(r"(\d{1,2}),\s*(\d{1,2})", arguments or "12,2")
    if digits is None or not 1 <= int(digits[1]) <= MOST_DIGITS or int(digits[2]) > int(digits[1]):
        raise RefusedError(
            f"decimal({arguments}): give all digits, {MOST_DIGITS} at most, and how many of them stand behind"
            " the point, such as decimal(12,2)."
        )
    return exact(int(digits[1]), int(digits[2]))


def _choice(arguments: str) -> Kind:
    choices = [each.strip() for each in arguments.split("|")]
    if len(choices) < 2 or len({*choices}) < len(choices) or not all(map(_CHOICE.fullmatch, choices)):  # noqa: PLR2004 (a single one is no choice)
        raise RefusedError(
            f"enum({arguments}): give two or more different words of lower-case letters, digits and _, with |"
            " between them, such as enum(draft|sent|paid)."
        )
    return choice(*choices)


def _plain(make: Callable[[], Kind], arguments: str) -> Kind:
    if arguments:
        raise RefusedError(f"({arguments}): this type takes nothing in parentheses.")
    return make()


TYPES: Final[Mapping[str, Callable[[str], Kind]]] = {
    "str": _string,
    "text": partial(_plain, partial(free_text, LONGEST_TEXT)),
    "int": partial(_plain, whole_number),
    "decimal": _exact,
    "bool": partial(_plain, truth),
    "date": partial(_plain, day),
    "datetime": partial(_plain, moment),
    "enum": _choice,
    "url": partial(_plain, address),
    "user": partial(_plain, member),
}
"""Each reads what stands in parentheses behind its name."""
UNIQUE: Final = {"str", "int", "url"}
