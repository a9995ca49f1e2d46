import pytest

from glasswork.core.rates import Quota, parse_rates


@pytest.mark.parametrize(
    "rates",
    ["", "often", "10/fortnight", "0/minute", "-1/minute", "10/minute;", "10/minute;20/minute", "1;2"],
)
def test_what_is_no_rate_is_named(rates: str) -> None:
    with pytest.raises(ValueError, match=r"^search: must be rates of different windows"):
        parse_rates("search", rates)


def test_one_rate_has_the_name_of_its_policy() -> None:
    assert parse_rates("search", "60/minute") == (Quota("search", "search", 60, 60),)


def test_several_are_told_apart_by_their_windows() -> None:
    assert parse_rates("search", "20/second;1000 per 2 hours") == (
        Quota("search", "search-1", 20, 1),
        Quota("search", "search-7200", 1000, 7200),
    )
