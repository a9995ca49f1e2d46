import re
from typing import Any

import pytest

from glasswork.core.json_pointers import POINTER, find

DOCUMENT: dict[str, Any] = {
    "foo": ["bar", {"baz": None}],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "m~n": 8,
    "~1": 9,
    "list": {"0": "by name", "-": "also"},
}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/foo", DOCUMENT["foo"]),
        ("/foo/0", "bar"),
        ("/foo/1/baz", None),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/m~0n", 8),
        ("/~01", 9),
        ("/list/0", "by name"),
        ("/list/-", "also"),
    ],
)
def test_finds(pointer: str, found: Any) -> None:
    assert re.fullmatch(POINTER, pointer)
    assert find(DOCUMENT, pointer) == found


@pytest.mark.parametrize(
    "pointer",
    [
        *("/foo/2", "/foo/-", "/foo/-1", "/foo/00", "/foo/01", "/foo/+0", "/foo/ 0", "/foo/1.0", "/foo/²"),
        *("/foo/99999999999999999999", "/foo/0/0", "/foo/0/upper", "/foo/1/baz/x", "/a/b", "/bar", "//"),
        *("/__class__", "/foo/__len__", "/foo/baz"),
    ],
)
def test_finds_nothing_elsewhere(pointer: str) -> None:
    with pytest.raises(LookupError):
        find(DOCUMENT, pointer)


@pytest.mark.parametrize("text", ["", "foo", "foo/bar", "/~", "/~2", "/a~", "/\x00", "#/foo"])
def test_is_not_every_text(text: str) -> None:
    assert not re.fullmatch(POINTER, text)
