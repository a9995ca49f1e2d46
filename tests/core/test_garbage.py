import gc

from glasswork.core.garbage import collecting_seldom


def test_it_is_as_before_when_the_process_has_stopped() -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        with collecting_seldom():
            assert gc.isenabled()
            assert gc.get_threshold() > (700, 10, 10)
            assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == (700, 10, 10)
        assert gc.get_freeze_count() == 0
    finally:
        gc.set_threshold(*before)
