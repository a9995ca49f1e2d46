"""What is said over a WebSocket in every wrong shape, as docs/live.md has the right ones."""

from collections.abc import Iterator
from typing import Final

_ID: Final = "0193c0de-0000-7000-8000-000000000000"
_NO_OBJECTS: Final = (
    *("", " ", "null", "true", "0", "[]", '""', "{", "[{}]", "NaN", "1e999", '{"type"', "\ufeff{}", "\x00"),
    *("'a'", "[" * 30_000, "{}"),
)
_TYPES: Final = (
    *("null", "0", "[]", "{}", '""', '"x"', '"PING"', '"\\u0000"', '"\\ud800"', '["ping"]'),
    *('"ping", "a": 1', '"ping", "type": "x"', '"ping", "\\u0000": 1', '"ping", "\\ud800": {}'),
)
_TOKENS: Final = (
    *("null", '""', "{}", '"\\ud800"', '"\\u0000"', '"gwk_\\u0000"', '"a.b.c"', '"é"', '".."'),
    *(f'"{"a" * 2048}"', f'"{"a" * 2049}"'),
)
_SUBSCRIPTIONS: Final = (
    *("null", "1", '""', '"\\u0000"', '"\\ud800"', '"task:"', '"workspace:*"', f'"{"a" * 65}"'),
)
_IDS: Final = (
    *("null", "1", "[]", '""', '"x"', '"\\ud800"', f'"{_ID}"', f'"urn:uuid:{_ID}"', f'"{{{_ID}}}"'),
    *(f'"{_ID}", "project_id": "{_ID}"', f'"{_ID}", "after": null'),
)
_NUMBERS: Final = (
    *("-1", "0", "1.5", '"1"', "1e18", str(10**18 - 1), str(10**18), str(2**63), f"1{'0' * 400}", "NaN"),
    "true",
)


def wrong() -> Iterator[str]:
    """Each is answered with one error, also to whoever has signed in."""
    yield from _NO_OBJECTS
    yield from (f'{{"type": {kind}}}' for kind in _TYPES)
    yield from (f'{{"type": "{kind}"}}' for kind in ("authenticate", "subscribe", "unsubscribe"))
    yield from (f'{{"type": "authenticate", "token": {token}}}' for token in _TOKENS)
    yield from (f'{{"type": "unsubscribe", "subscription": {name}}}' for name in _SUBSCRIPTIONS)
    for kind in ("task", "project", "workspace", "nothing"):
        yield from (f'{{"type": "subscribe", "{kind}_id": {id_}}}' for id_ in _IDS)
    for number in _NUMBERS:
        yield f'{{"type": "subscribe", "workspace_id": "{_ID}", "after": {number}}}'
