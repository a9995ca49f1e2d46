"""Which core does what: the database and the load share one, and what is measured has the other to itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_ALL = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
IS_PINNED = len(_ALL) > 1
LOAD, MEASURED = (_ALL[0], _ALL[1]) if IS_PINNED else (0, 0)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside stays on this core, where the machine has more than one."""
    if not IS_PINNED:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
