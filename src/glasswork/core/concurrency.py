"""Lost updates are refused: a write that names the version it saw goes through only on that version.

And what has not changed is not sent again: a read that names that version is answered without a body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from glasswork.core.errors import PreconditionFailedError, ValidationError

_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_LIST = re.compile(rf"\s*{_ENTITY_TAG}(?:\s*,\s*{_ENTITY_TAG})*\s*")
_STRONG_VERSION = re.compile(r'(?<!/)"([1-9]\d{0,8})"')
_VERSION = re.compile(r'"([1-9]\d{0,8})"')


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


class StaleVersionError(PreconditionFailedError):
    code = "STALE_VERSION"

    def __init__(self, current: Versioned, fields: list[str]) -> None:
        super().__init__(
            "The resource has changed since the version named in If-Match.",
            current_etag=etag(current),
            fields=fields,
        )


@dataclass(frozen=True, slots=True)
class Precondition:
    """The versions that `If-Match` admits; None admits any."""

    versions: frozenset[int] | None = None

    @classmethod
    def parse(cls, header: str | None) -> "Precondition":
        """Weak tags never match (RFC 9110, 13.1.1): no version is read from them."""
        if header is None or header.strip() == "*":
            return cls()
        if not _LIST.fullmatch(header):
            message = 'must be "*" or entity tags such as "7"'
            raise ValidationError.at(["header", "If-Match"], message, "malformed_etag")
        return cls(frozenset(int(version) for version in _STRONG_VERSION.findall(header)))

    def check(self, current: Versioned, changes: Mapping[str, Any] | None = None) -> None:
        """Call it on a locked row; the fields named in the error are those the caller would overwrite."""
        if self.versions is not None and current.version not in self.versions:
            wanted = (changes or {}).items()
            fields = [name for name, value in wanted if getattr(current, name, None) != value]
            raise StaleVersionError(current, fields)


@dataclass(frozen=True, slots=True)
class Seen:
    """The versions that the caller has, by `If-None-Match`; None stands for any."""

    versions: frozenset[int] | None = frozenset()

    @classmethod
    def parse(cls, header: str | None) -> "Seen":
        """Weak tags match here (RFC 9110, 13.1.2); what is no list of tags names nothing."""
        if header is None:
            return cls()
        if header.strip() == "*":
            return cls(None)
        if not _LIST.fullmatch(header):
            return cls()
        return cls(frozenset(int(version) for version in _VERSION.findall(header)))

    def has(self, current: Versioned) -> bool:
        return self.versions is None or current.version in self.versions


def etag(resource: Versioned) -> str:
    return f'"{resource.version}"'
