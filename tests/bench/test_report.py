"""docs/performance.md says what the last run has found."""

import capacity
import pytest
from measure import Cost
from report import PAGE, page_of, replace_part
from results import APP, CEILING, Results, Sample, app_us, load
from targets import TARGETS

MUST_BE_FOUR = TARGETS[0]


def make_results(own: float, least: float = 100, **costs: float) -> Results:
    results = Results({}, 1)
    for server, cost in ((APP, own), (CEILING, least)):
        results.samples.append(Sample("get", server, 1, 1, make_cost(cost, **costs)))
    return results


def make_cost(cost: float, foreign: float = 0) -> Cost:
    return Cost(1, 0, 1, cost, 1, 1, 1, 1, foreign)


def test_the_page_is_that_of_the_last_run() -> None:
    page = PAGE.read_text()
    assert page_of(load(), page) == page


def test_the_table_of_machines_is_that_of_the_last_run() -> None:
    page = capacity.PAGE.read_text()
    assert capacity.page_of(load(), page) == page


def test_what_is_assumed_of_people_is_whole() -> None:
    assert sum(capacity.MIX.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("own", "verdict"), [(199, "yes, reached"), (201, "yes"), (400, "yes"), (401, "**no**")]
)
def test_a_target_is_compared_with_what_was_measured(own: float, verdict: str) -> None:
    assert MUST_BE_FOUR.holds(make_results(own)) == verdict


def test_what_was_not_measured_holds_nothing() -> None:
    assert {target.holds(Results({}, 1)) for target in TARGETS} == {"not measured"}


def test_noisy_rounds_are_left_out_while_two_are_quiet() -> None:
    results = make_results(100)
    for number, (cost, foreign) in enumerate([(102, 0.1), (300, 0.5), (300, 0.5), (300, 0.5)]):
        results.samples.append(Sample("get", APP, 1, number, make_cost(cost, foreign)))
    assert results.cost(app_us, "get") == 101
    del results.samples[0]
    assert results.cost(app_us, "get") == 300


def test_words_around_a_part_stay() -> None:
    text = (
        "Before\n<!-- measured: one -->\nold\n<!-- end -->\nbetween\n<!-- measured: two -->\n<!-- end -->\n"
    )
    assert replace_part(text, "one", ["new"]) == text.replace("old", "new")
    with pytest.raises(AssertionError, match="no part three"):
        replace_part(text, "three", [])
