"""The ledger finds what it is there to find."""

from pathlib import Path

import pytest

from .cells import PROPERTY, Cells
from .ledger import Answer, Ledger
from .page import page, read

UNKNOWN = Answer(503, 0, {"error": {"code": "OUTCOME_UNKNOWN"}})
REFUSED = Answer(503, 0, {"error": {"code": "SERVICE_UNAVAILABLE"}})
DONE = Answer(201, 0)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    for name, answer in {"done": DONE, "refused": REFUSED, "open": UNKNOWN, "cut": Answer(None, 0)}.items():
        ledger.note(name, answer)
    return ledger


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([], "lost"),
        (["done", "done"], "doubled"),
        (["done", "open", "open"], "doubled"),
        (["done", "refused"], "refused, and there"),
        (["done", "strange"], "never asked for"),
    ],
)
def test_what_is_wrong_is_found(ledger: Ledger, found: list[str], fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        ledger.check(found)


@pytest.mark.parametrize("found", [["done"], ["done", "open"], ["cut", "done", "open"]])
def test_what_nobody_knows_may_be_there(ledger: Ledger, found: list[str]) -> None:
    assert ledger.check(found) == "1 acknowledged, each there once; 1 refused, none there; 2 left open"


def test_what_is_asked_for_again_until_it_is_done_must_be_there(ledger: Ledger) -> None:
    for answer in (REFUSED, DONE):
        ledger.note("open", answer)
    with pytest.raises(AssertionError, match="lost"):
        ledger.check(["done"])
    ledger.check(["done", "open"])


class TestPage:
    RESULTS = '<testsuite><testcase classname="a" name="b">{}</testcase></testsuite>'

    @pytest.mark.parametrize("result", ["failure", "error", "skipped"])
    def test_is_not_made_of_a_run_that_has_not_passed(self, tmp_path: Path, result: str) -> None:
        results = tmp_path / "results.xml"
        results.write_text(self.RESULTS.format(f"<{result}/>"))
        with pytest.raises(ValueError, match=r"a\.b has not passed"):
            read(results)

    def test_shows_the_worst_of_what_was_seen(self, tmp_path: Path) -> None:
        kept: list[str] = []
        cells = Cells("F2", lambda _, value: kept.append(str(value).replace('"', "&quot;")))
        cells.saw("read", {200}, 0.2, 0.5, "all of it")
        cells.saw("read", {200, 503, None}, 3.5, 0.1, "all of it")
        properties = "".join(f'<property name="{PROPERTY}" value="{value}"/>' for value in kept)
        results = tmp_path / "results.xml"
        results.write_text(self.RESULTS.format(f"<properties>{properties}</properties>"))
        told = page(read(results))
        assert "| read | 200, 503, broken | 3.5 s | 0.5 s | all of it |" in told
        assert "| F2 |  | 503, broken |" in told
