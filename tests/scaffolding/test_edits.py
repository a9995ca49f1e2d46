import ast

import pytest

from glasswork.scaffolding.edits import (
    Edit,
    LostPlaceError,
    add_import,
    add_line,
    append,
    append_to_class,
    append_to_result,
)

SOURCE = '''"""Ünïcode comes first."""

from a import b

NAMES = ["é", "b"]  # whose order tells nothing
KINDS: frozenset[str] = frozenset({"a"})
NESTED = {
    **dict.fromkeys(("a", "b"), 1),  # both
}
EMPTY: tuple[int, ...] = ()


class Scope:
    A = "a"  # the first
    """Told."""


async def make(flag):
    def inner():
        return 1

    if flag:
        return {"x": (1, 2)}


def other():
    return {
        "y": 1,
    }
'''


@pytest.mark.parametrize(
    "edit",
    [
        append("MISSING", "1"),
        append("Scope", "1"),
        append_to_class("Missing", "B = 1"),
        append_to_result("missing", '"z": 1'),
        append_to_result("inner", '"z": 1'),
        add_line("nothing like it", "x = 1"),
    ],
)
def test_a_place_that_is_gone_is_told_of(edit: Edit) -> None:
    with pytest.raises(LostPlaceError):
        edit(SOURCE)


def test_without_imports_there_is_no_place_for_one() -> None:
    with pytest.raises(LostPlaceError):
        add_import("import x")("x = 1\n")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (append("NAMES", '"c"'), "NAMES = ['é', 'b', 'c']"),
        (append("KINDS", '"b"'), "KINDS: frozenset[str] = frozenset({'a', 'b'})"),
        (append("NESTED", '"c": 2'), "NESTED = {**dict.fromkeys(('a', 'b'), 1), 'c': 2}"),
        (append("EMPTY", "1"), "EMPTY: tuple[int, ...] = (1,)"),
        (append_to_result("make", '"z": 3'), "return {'x': (1, 2), 'z': 3}"),
        (append_to_result("other", '"z": 3'), "return {'y': 1, 'z': 3}"),
        (append_to_class("Scope", 'B = "b"'), "    'Told.'\n    B = 'b'"),
        (add_import("from c import d"), "from a import b\nfrom c import d"),
        (add_line(r"}", "LAST = 1"), "NESTED = {**dict.fromkeys(('a', 'b'), 1)}\nLAST = 1"),
        (add_line(r"[A-Z]+ = .*", "FIRST = 1", ahead=True), "from a import b\nFIRST = 1\nNAMES"),
    ],
)
def test_it_goes_where_it_belongs(edit: Edit, expected: str) -> None:
    edited = edit(SOURCE)
    assert expected in ast.unparse(ast.parse(edited))
    for line in SOURCE.splitlines():
        assert line.split("#")[0].rstrip(" ,)]}") in edited, "what was there stays"
    assert edited.count("#") == SOURCE.count("#")
