from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from glasswork.core.outgoing import Answer, Reason
from glasswork.features.sending.policy import ERRORS, delay_after, judge

DAY = 86_400


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"", True)


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 404, 409, 410, 429, 500, 503, 599])
def test_is_not_taken(status: int) -> None:
    verdict = judge(answer(status))
    assert not verdict.is_delivered
    assert str(status) in str(verdict.error)
    assert verdict.is_gone == (status == 410)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_is_taken(status: int) -> None:
    assert judge(answer(status)).is_delivered


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("0", 0), ("-5", None), ("soon", None), ("", None), ("²", None), ("9" * 400, 999_999_999)],
)
def test_the_receiver_asks_for_time(text: str, seconds: float | None) -> None:
    assert judge(answer(503, retry_after=text)).retry_after == seconds


def test_or_names_a_moment() -> None:
    wait = judge(
        answer(503, retry_after=format_datetime(datetime.now(UTC) + timedelta(minutes=5)))
    ).retry_after
    assert wait is not None
    assert 290 < wait <= 300
    past = judge(answer(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"))
    assert past.retry_after == 0


def test_each_delay_is_about_twice_the_one_before_up_to_four_hours() -> None:
    bounds = [5 * 2**n for n in range(12)] + [4 * 3600] * 8
    for tries, longest in enumerate(bounds, start=1):
        delays = [delay_after(tries, DAY) for _ in range(200)]
        assert longest / 2 <= min(delays) < max(delays) <= longest
        assert max(delays) - min(delays) > longest / 4


def test_a_day_has_some_fifteen_attempts() -> None:
    for _ in range(50):
        waited, tries = 0.0, 1
        while (waited := waited + delay_after(tries, DAY)) < DAY:
            tries += 1
        assert 14 <= tries <= 24


@pytest.mark.parametrize(("asked", "least"), [(60, 60), (0, 2.5), (10**9, 4 * 3600)])
def test_what_is_asked_for_is_kept_within_reason(asked: float, least: float) -> None:
    assert delay_after(1, DAY, asked) >= least
    assert delay_after(1, DAY, asked) <= 4 * 3600


def test_every_reason_has_words() -> None:
    assert ERRORS.keys() == set(Reason)
