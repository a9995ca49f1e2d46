"""When the garbage collector looks for cycles: seldom, and not at what stays as long as the process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (50_000, 20, 50)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Enter it once all is there that stays: modules, routes, schemas and mappers, some 300,000 objects.

    With Python's own thresholds a request in a hundred or so waits for 50 ms and more, until the collector
    has looked at all of them and found nothing. Requests make few cycles, so that the young can wait, too.
    What somebody has frozen before stays so, and with it what was added: they cannot be told apart.
    """
    before, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not was_frozen:
            gc.unfreeze()
