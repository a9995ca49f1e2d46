from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasswork.core.ordering import key_between, key_of


@pytest.mark.parametrize(
    ("number", "key"), [(0, "a0"), (61, "az"), (62, "b00"), (62 + 62**2 - 1, "bzz"), (62 + 62**2, "c000")]
)
def test_numbers_have_keys_in_their_order(number: int, key: str) -> None:
    assert key_of(number) == key


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_keys_sort_as_their_numbers(one: int, other: int) -> None:
    assert (key_of(one) < key_of(other)) == (one < other)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=200))
def test_there_is_room_everywhere(places: list[int]) -> None:
    keys = [key_of(1)]
    for place in places:
        at = place % (len(keys) + 1)
        before, after = (keys[at - 1] if at else None), (keys[at] if at < len(keys) else None)
        keys.insert(at, key_between(before, after))
    assert keys == sorted(set(keys))


def test_what_is_moved_to_the_end_leaves_the_place_of_what_is_made_next() -> None:
    for number in (1, 61, 62, 4000):
        moved = key_between(key_of(number), None)
        assert key_of(number) < moved < key_of(number + 1)
        assert key_of(number) < key_between(moved, None) < key_of(number + 1)


def test_what_is_moved_to_the_front_takes_the_place_of_no_number() -> None:
    """Numbers may be made later that are less than those there are: by an import."""
    first = key_of(70)
    for _ in range(200):
        first = key_between(None, first)
        assert first not in {key_of(number) for number in range(70)}


def test_keys_stay_short_at_the_ends_and_grow_slowly_inside() -> None:
    first = key_of(1)
    for _ in range(10_000):
        first = key_between(None, first)
    assert len(first) <= 5
    random, keys = Random(1), [key_of(1), key_of(2)]  # noqa: S311 (nothing to hide)
    for _ in range(10_000):
        at = random.randrange(1, len(keys))
        keys.insert(at, key_between(keys[at - 1], keys[at]))
    assert max(map(len, keys)) <= 20
