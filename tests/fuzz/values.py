"""Whatever is hostile, in several places of a request at once."""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from httpx2 import Response

from tests.contract.hostile import (
    DAYS,
    HEADERS,
    MOMENTS,
    NUMBERS,
    OTHERS,
    REFUSED,
    TEXTS,
    TRICKS,
    as_json,
    fault,
    fitting,
    here,
    in_path,
    request_of,
)
from tests.contract.matrix import DUE, OPERATORS
from tests.contract.references import Stage
from tests.contract.slots import Call, Slot

AT_ONCE: Final = (1, 1, 1, 1, 2, 3, 4)
"""Mostly one: where two are refused neither gets any further."""
_ANY: Final = (*TEXTS.values(), *TRICKS, *MOMENTS, *DAYS, *NUMBERS, *OTHERS)


def placed(call: Call, rng: Random) -> list[tuple[Slot, Any]]:
    """Return what is put where; empty for a call without places."""
    slots = [*call.slots()]
    return [(slot, _value(slot, rng)) for slot in rng.sample(slots, min(len(slots), rng.choice(AT_ONCE)))]


def _value(slot: Slot, rng: Random) -> str | bytes:
    if slot.place == "header":
        return rng.choice(HEADERS)
    if slot.place == "body" and not rng.randrange(5):
        return here(rng.choice(REFUSED))
    text = rng.choice(fitting(slot) if rng.randrange(2) else _ANY)
    if slot.place == "body":
        return here(as_json(slot, text))
    return in_path(text or ".") if slot.place == "path" else text


async def send(stage: Stage, call: Call, values: Sequence[tuple[Slot, Any]]) -> str | None:
    """Return what is wrong with the answer, and the request that was so answered."""
    request = request_of(call, stage.own, [*values])
    bearer = "operator" if DUE[call.operation.name] is OPERATORS else "session"
    answer: Response = await stage.send(request, bearer)
    found = fault(answer)
    return f"{found}: {request!r:.5000}" if found else None
