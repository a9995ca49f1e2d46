import gc
from collections.abc import Iterator

import pytest

from glasswork.core.garbage import collecting_seldom


@pytest.fixture
def thawed() -> Iterator[None]:
    """As in a process of its own; that of the tests has frozen what it keeps."""
    before = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)
    gc.freeze()


@pytest.mark.usefixtures("thawed")
def test_it_is_as_before_when_the_process_has_stopped() -> None:
    with collecting_seldom():
        assert gc.isenabled()
        assert gc.get_threshold() > (700, 10, 10)
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == (700, 10, 10)
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("thawed")
def test_what_was_frozen_before_stays_so() -> None:
    gc.freeze()
    with collecting_seldom():
        pass
    assert gc.get_threshold() == (700, 10, 10)
    assert gc.get_freeze_count() > 0
