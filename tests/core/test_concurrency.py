from dataclasses import dataclass

import pytest

from glasswork.core.concurrency import Precondition, Seen, StaleVersionError, etag
from glasswork.core.errors import ValidationError


@dataclass
class Note:
    version: int = 7
    title: str = "Now"


class TestParse:
    @pytest.mark.parametrize(
        "header", ["", " ", "7", "*,*", '"7', '7"', '"7" "8"', '"7",', "'7'", '"7"*', 'w/"7"', '"ä"', '"a b"']
    )
    def test_refuses_what_is_no_list_of_tags(self, header: str) -> None:
        with pytest.raises(ValidationError) as refusal:
            Precondition.parse(header)
        assert refusal.value.details["errors"][0]["code"] == "malformed_etag"

    @pytest.mark.parametrize("header", [None, "*", " * "])
    def test_admits_any_version(self, header: str | None) -> None:
        assert Precondition.parse(header).versions is None

    @pytest.mark.parametrize(
        ("header", "versions"),
        [
            ('"7"', {7}),
            (' "7" ', {7}),
            ('"7","8" , "7"', {7, 8}),
            ('"7", W/"8"', {7}),
            ('W/"7"', set()),
            ('"abc", "7"', {7}),
            ('"a/", "7"', {7}),
            ('""', set()),
            ('"07"', set()),
            ('"0"', set()),
            ('"-7"', set()),
            ('"7.0"', set()),
            (f'"{10**100}"', set()),
        ],
    )
    def test_reads_versions_of_strong_tags(self, header: str, versions: set[int]) -> None:
        assert Precondition.parse(header) == Precondition(frozenset(versions))


class TestCheck:
    @pytest.mark.parametrize("versions", [None, frozenset({7}), frozenset({6, 7})])
    def test_admits_the_version(self, versions: frozenset[int] | None) -> None:
        Precondition(versions).check(Note(), {"title": "New"})

    @pytest.mark.parametrize("versions", [frozenset({6}), frozenset({6, 8}), frozenset()])
    def test_refuses_another(self, versions: frozenset[int]) -> None:
        with pytest.raises(StaleVersionError) as refusal:
            Precondition(versions).check(Note())
        assert refusal.value.details == {"current_etag": '"7"', "fields": []}

    def test_names_what_would_be_overwritten(self) -> None:
        with pytest.raises(StaleVersionError) as refusal:
            Precondition(frozenset({6})).check(Note(), {"title": "New", "version": 7, "unknown": 1})
        assert refusal.value.details["fields"] == ["title", "unknown"]


def test_etag_is_the_version_and_read_back() -> None:
    assert etag(Note()) == '"7"'
    assert Precondition.parse(etag(Note())) == Precondition(frozenset({7}))


@pytest.mark.parametrize(
    ("header", "has"),
    [
        (None, False),
        ('"7"', True),
        ('W/"7"', True),
        ('"6", W/"7"', True),
        (" * ", True),
        ('"6"', False),
        ('"77"', False),
        ('"07"', False),
        ("7", False),
        ('"7', False),
        ("", False),
    ],
)
def test_what_the_caller_has_seen(header: str | None, has: bool) -> None:
    assert Seen.parse(header).has(Note()) is has
