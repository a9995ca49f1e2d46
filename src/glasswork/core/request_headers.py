"""The headers of a request, read once for all who want one."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

_READ: Final = "glasswork.headers"


def headers_of(scope: MutableMapping[str, Any]) -> Mapping[bytes, bytes]:
    """Return the first of each name; names are in lower case."""
    found: Mapping[bytes, bytes] | None = scope.get(_READ)
    if found is None:
        found = scope[_READ] = dict(reversed(scope["headers"]))
    return found


def header_of(scope: MutableMapping[str, Any], name: bytes) -> str:
    """Return "" where there is none."""
    return headers_of(scope).get(name, b"").decode("latin-1")
