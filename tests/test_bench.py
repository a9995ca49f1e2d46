"""The statistics of the benchmarks, against values of SciPy (`mannwhitneyu`, method "asymptotic")."""

from pathlib import Path
from runpy import run_path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


@pytest.mark.parametrize(
    ("one", "other", "chance"),
    [
        ([19, 22, 16, 29, 24], [20, 11, 17, 12], 0.111347),
        ([20, 11, 17, 12], [19, 22, 16, 29, 24], 0.111347),
        ([1, 2, 2, 3, 3, 3, 4], [2, 3, 4, 4, 5, 5, 6], 0.043051),
        ([1, 2, 3, 4], [1, 2, 3, 4], 1.0),
        ([7, 7], [7, 7], 1.0),
        (list(range(20)), list(range(20, 40)), 0.0),
    ],
)
def test_ranks_are_compared(
    monkeypatch: pytest.MonkeyPatch, one: list[float], other: list[float], chance: float
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    compare = run_path(str(BENCH / "guessing.py"))["mann_whitney"]
    assert compare(one, other) == pytest.approx(chance, abs=1e-6)
