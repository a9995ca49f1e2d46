"""What keeps tenants apart, with one mistake at a time: the tests notice it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from .aims import sample
from .mutants import Mutant
from .proof import Bench, Fate, Outcome
from .reach import Reach

NUMBER = int(os.environ.get("MUTANTS", "100"))
SEED = int(os.environ.get("MUTANTS_SEED", "1"))
PLACE = os.environ.get("MUTANTS_IN", "")
BENCHES = 2
MOST_LIVE = 0.02


@pytest.fixture
def benches() -> Iterator[Sequence[Bench]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Bench.made()) for _ in range(BENCHES)]


@pytest.fixture
def reach() -> Reach:
    return Reach.measured()


@pytest.mark.mutants
@pytest.mark.timeout(0)
def test_mistakes_are_noticed(reach: Reach, benches: Sequence[Bench]) -> None:
    """`uv run task mutants` prints each, and the score."""
    outcomes = outcomes_of(sample(NUMBER, SEED, PLACE), benches, reach)
    fates = Counter(outcome.fate for outcome in outcomes.values())
    print(*(f"{fate}: {number}" for fate, number in fates.items()))  # noqa: T201
    assert [test for bench in benches for test in bench.unsound] == []
    survivors = [str(mutant) for mutant, outcome in outcomes.items() if outcome.fate is Fate.LIVED]
    assert fates[Fate.LIVED] <= MOST_LIVE * (fates[Fate.LIVED] + fates[Fate.KILLED]), survivors


def outcomes_of(mutants: Sequence[Mutant], benches: Sequence[Bench], reach: Reach) -> dict[Mutant, Outcome]:
    """What has noticed one mistake in a file is likely to notice the next."""
    noticing: defaultdict[Path, list[str]] = defaultdict(list)
    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)

    def try_(mutant: Mutant) -> Outcome:
        bench = free.get()
        outcome = bench.try_(mutant, first=[*noticing[mutant.path][:-5:-1], *reach.of(mutant)])
        free.put(bench)
        if outcome.fate is Fate.KILLED:
            noticing[mutant.path].append(outcome.told)
        print(f"{outcome.fate} {mutant} ({outcome.told})", flush=True)  # noqa: T201
        return outcome

    with ThreadPoolExecutor(len(benches)) as pool:
        return dict(zip(mutants, pool.map(try_, mutants), strict=True))
