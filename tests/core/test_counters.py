"""The counts of one process."""

import pytest

from glasswork.core import counters
from glasswork.core.counters import LocalCounters
from glasswork.core.rates import Count, parse_rates

(MINUTE,) = parse_rates("search", "10/minute")
(HOUR,) = parse_rates("export", "10/hour")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(clock: Clock) -> LocalCounters:
    return LocalCounters(clock)


def test_a_window_begins_with_the_first_and_ends_for_all(local: LocalCounters, clock: Clock) -> None:
    assert local.hit(MINUTE, "ada") == Count(1, 60)
    clock.now += 20
    assert local.hit(MINUTE, "ada") == Count(2, 40)
    clock.now += 39.5
    assert local.hit(MINUTE, "ada") == Count(3, 0.5)
    clock.now += 0.5
    assert local.hit(MINUTE, "ada") == Count(1, 60)


def test_callers_and_quotas_are_counted_apart(local: LocalCounters) -> None:
    local.hit(MINUTE, "ada")
    assert local.hit(MINUTE, "bob").number == 1
    assert local.hit(HOUR, "ada").number == 1
    assert local.hit(MINUTE, "ada").number == 2


def test_what_has_ended_is_forgotten(local: LocalCounters, clock: Clock) -> None:
    for number in range(100):
        local.hit(MINUTE, f"once {number}")
    clock.now += 60
    local.hit(MINUTE, "ada")
    assert sum(map(len, local._windows.values())) == 1  # noqa: SLF001 (memory has no other witness)


def test_of_too_many_the_oldest_is_forgotten(
    local: LocalCounters, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "KEPT", 3)
    for caller in ("ada", "bob", "eve"):
        local.hit(MINUTE, caller)
        clock.now += 1
    local.hit(MINUTE, "dan")
    assert local.hit(MINUTE, "eve").number == 2
    assert local.hit(MINUTE, "bob").number == 2
    assert local.hit(MINUTE, "ada").number == 1
