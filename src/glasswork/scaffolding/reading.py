"""The fields of a feature as the command line has them."""

import keyword
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from pydantic import BaseModel
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from glasswork.core.models import TenantEntity
from glasswork.core.paging import PageQuery

from .catalogue import TYPES, UNIQUE
from .errors import RefusedError
from .fields import Default, Field
from .kinds import Kind
from .names import Names

LONGEST: Final = 30
LEAST_ROOM: Final = 8
"""Of what is unique: tests put numbers there."""

_SPECIFICATION = re.compile(
    r"\s*(?P<name>[^:\s]*)\s*:\s*(?P<type>[a-z]*)\s*(?:\((?P<arguments>[^()]*)\))?\s*(?P<optional>\?)?"
    r"(?P<unique>\s+unique)?(?:\s*=\s*(?P<default>.*?))?\s*"
)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_STANDARD: Final = {"id", "workspace_id", "created_by", "version", "created_at", "updated_at"}
_TYPES_OF_PYTHON: Final = {"bool", "date", "datetime", "int", "list", "str"}
_PARTS: Final = {"create", "id", "query", "read", "update", "func", "mapped_column", "optional", "sort_by"}
"""With the feature's name ahead of them classes are called so; or functions, in the bodies of classes."""
_LONGEST_OF_POSTGRESQL: Final = 63
_OF_MODELS: Final = {name for cls in (BaseModel, TenantEntity) for name in dir(cls)} - _STANDARD
_FILTERS_OF_ALL: Final = {*PageQuery.model_fields, "created_after", "created_before"}


def read_field(names: Names, specification: str) -> Field:
    """Raise RefusedError, which repeats the specification."""
    try:
        return _field(names, specification)
    except RefusedError as error:
        raise RefusedError(f"The field {specification.strip()!r}: {error}") from error


def ensure_fitting(fields: Sequence[Field]) -> None:
    """Raise RefusedError where fields do not fit together."""
    if all(field.is_member for field in fields):
        raise RefusedError("A feature needs a field that is no reference, such as --field 'name:str(100)'.")
    for name, number in Counter(field.name for field in fields).items():
        if number > 1:
            raise RefusedError(f"There are {number} fields {name!r}.")
    for name in chain.from_iterable(map(_identifiers, fields)):
        if len(name) > _LONGEST_OF_POSTGRESQL:
            raise RefusedError(
                f"{name!r} has more than {_LONGEST_OF_POSTGRESQL} characters, which PostgreSQL would cut off:"
                " take shorter names."
            )
    filters = Counter([*_FILTERS_OF_ALL, *(each.name for field in fields for each in field.filters)])
    for name, number in filters.items():
        if number > 1:
            raise RefusedError(f"The lists would have two parameters {name!r}: name a field otherwise.")


def _identifiers(field: Field) -> Iterator[str]:
    """Yield what the database calls by the field's name."""
    table = field.names.plural
    if field.unique:
        yield f"uq_{table}_{field.name}"
    if field.is_member:
        yield f"fk_{table}_workspace_id_{field.name}"
    if field.enum:
        yield f"ck_{table}_{field.enum.lower()}"


def _field(names: Names, specification: str) -> Field:
    found = _SPECIFICATION.fullmatch(specification)
    if found is None:
        raise RefusedError("write NAME:TYPE, such as 'amount:decimal', then '?', ' unique', ' = VALUE'.")
    _refuse(_wrong_names(found["name"], found["type"]))
    kind = TYPES[found["type"]]((found["arguments"] or "").strip())
    _refuse(_wrong_options(kind, found))
    optional, default = bool(found["optional"]), found["default"]
    if default is None and found["type"] == "text" and not optional:
        default = ""
    field = Field(names, found["name"], kind, optional, bool(found["unique"]), None)
    return field if default is None else _with_default(field, default)


def _refuse(rules: Mapping[str, bool]) -> None:
    """Raise RefusedError with the first of the reasons that holds."""
    for reason, holds in rules.items():
        if holds:
            raise RefusedError(reason)


def _wrong_names(name: str, type_: str) -> Mapping[str, bool]:
    hint = " An id of another system is a str(36), one of a person here a user?." * (type_ == "uuid")
    return {
        f"a name has lower-case letters, digits and _ between them, and at most {LONGEST} characters.": (
            not _NAME.fullmatch(name) or len(name) > LONGEST
        ),
        f"the types are {', '.join(TYPES)}, and not {type_!r}.{hint}": type_ not in TYPES,
        f"every feature has {name!r} already.": name in _STANDARD,
        f"{name!r} is a word of Python.": keyword.iskeyword(name),
        f"{name!r} is a type of Python: say which one it is, such as 'issued_on'.": name in _TYPES_OF_PYTHON,
        f"{name!r} means something else in the classes of a feature.": (
            name in _OF_MODELS or name in _PARTS or name.startswith("model_")
        ),
        f"{name!r} is a reserved word of SQL.": name in RESERVED_WORDS,
        "a name ends with _id where the type is user, and only there: an id refers to something here.": (
            (type_ == "user") != name.endswith(("_id", "_ids"))
        ),
    }


def _wrong_options(kind: Kind, found: re.Match[str]) -> Mapping[str, bool]:
    optional, unique = bool(found["optional"]), bool(found["unique"])
    return {
        "write user?, since who is named there can leave the workspace.": found["type"] == "user"
        and not optional,
        f"only {', '.join(sorted(UNIQUE))} can be unique.": unique and found["type"] not in UNIQUE,
        f"what is unique needs room for at least {LEAST_ROOM} characters.": unique
        and 0 < kind.room < LEAST_ROOM,
        "a value where none is sent goes neither with '?', which means null, nor with 'unique'.": (
            found["default"] is not None and (optional or unique)
        ),
    }


def _with_default(field: Field, text: str) -> Field:
    read = field.kind.default(text)
    if read is None:
        raise RefusedError(f"{text!r} is no value that can stand where none is sent.")
    python, json = read
    return replace(field, default=Default(f"{field.enum}.{python}" if field.enum else python, json))
