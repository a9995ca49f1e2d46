"""Go on with all journeys side by side before, during and after a fault."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from .cells import Cells
from .effects import Comment, Import, Stream, Webhook
from .journeys import Create, Download, Edit, Health, Journey, Read, Search, SignIn, Upload
from .ledger import Answer
from .person import Person
from .stage import Stage

JOURNEYS = (SignIn, Read, Search, Create, Edit, Comment, Upload, Download, Webhook, Stream, Import, Health)

SLACK = float(os.environ.get("FAULT_SLACK", "4"))
"""Seconds that a busy machine may add to a bound."""
BOUND = 4
RECOVERY = 5
PAUSE = 0.25
"""Between what somebody does and does again, so that the machine is busy and not more than that."""
LOST_SECONDS = 60
"""After so long a journey that does not recover is given up."""


@dataclass
class Trail:
    """What one journey met."""

    answers: list[Answer] = field(default_factory=list)
    recovery: float = 0

    @property
    def statuses(self) -> set[int | None]:
        return {answer.status for answer in self.answers}

    def __str__(self) -> str:
        """All that was answered, in its order."""
        told = ", ".join(f"{each.code or each.status} in {each.seconds:.2f} s" for each in self.answers)
        return f"{told}; well again in {self.recovery:.2f} s"

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)


Trails = Mapping[Journey, Trail]


@asynccontextmanager
async def everybody(stage: Stage, kinds: Sequence[type[Journey]] = JOURNEYS) -> AsyncIterator[list[Journey]]:
    """Yield the journeys, of which each has been well once."""
    async with Person(stage.base_url) as person, AsyncExitStack() as stack:
        await person.sign_up()
        journeys = [kind(stage, person, stack) for kind in kinds]
        await asyncio.gather(*(journey.begin() for journey in journeys))
        await asyncio.gather(*(_until_well(journey) for journey in journeys))
        yield journeys


async def meet(
    journeys: Sequence[Journey], fault: AbstractAsyncContextManager[object], seconds: float
) -> Trails:
    """Keep on while the fault is there; return when each is well again."""
    trails = {journey: Trail() for journey in journeys}
    over = asyncio.Event()
    async with fault:
        going = {
            journey: asyncio.create_task(_keep_going(journey, trails[journey], over)) for journey in journeys
        }
        await asyncio.sleep(seconds)
    healed = monotonic()
    over.set()
    await asyncio.gather(*(_recover(*each, going[each[0]], healed) for each in trails.items()))
    return trails


async def tell(
    cells: Cells,
    trails: Trails,
    refusals: Collection[int | None] = (),
    *,
    of: Mapping[type[Journey], Collection[int | None]] | None = None,
    bound: float = BOUND,
    recovery: float = RECOVERY,
) -> None:
    """Check the four things of each cell, and keep what was seen.

    Answers are good, or among `refusals`, or those of this journey in `of`.
    """
    for journey, trail in trails.items():
        told = f"{journey.name}: {trail}"
        others = set((of or {}).get(type(journey), refusals))
        assert all(answer.is_good or answer.status in others for answer in trail.answers), told
        assert trail.slowest < bound + SLACK, told
        assert trail.recovery < recovery + SLACK, told
        holds = await journey.check()
        cells.saw(journey.name, trail.statuses, trail.slowest, trail.recovery, holds)


def refused(trails: Trails, status: int | None) -> set[str]:
    """Return whom the fault has met."""
    return {journey.name for journey, trail in trails.items() if status in trail.statuses}


async def _keep_going(journey: Journey, trail: Trail, over: asyncio.Event) -> None:
    while not over.is_set():
        trail.answers.append(await journey.go())
        await asyncio.sleep(PAUSE)


async def _recover(journey: Journey, trail: Trail, going: asyncio.Task[None], healed: float) -> None:
    await going  # what it asked for last: two edits of one version would refuse each other
    await _until_well(journey)
    trail.recovery = monotonic() - healed


async def _until_well(journey: Journey) -> None:
    answer, deadline = await journey.go(), monotonic() + LOST_SECONDS
    while not answer.is_good or not await journey.has_come():
        assert monotonic() < deadline, f"{journey.name} is not well: {answer}"
        await asyncio.sleep(PAUSE)
        if not answer.is_good:
            answer = await journey.go()
