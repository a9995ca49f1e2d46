"""Places in a JSON document (RFC 6901)."""

import re
from typing import Any, Final

POINTER: Final = r"^(/([^/~\x00]|~[01])*)+$"
"""To a place inside of the document."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def find(document: Any, pointer: str) -> Any:
    """Return what is there, or raise LookupError."""
    for token in tokens_of(pointer):
        if isinstance(document, list) and _INDEX.fullmatch(token):
            document = document[int(token)]
        elif isinstance(document, dict):
            document = document[token]
        else:
            raise LookupError(pointer)
    return document


def tokens_of(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
