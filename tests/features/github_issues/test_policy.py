from datetime import UTC, datetime

import pytest

from glasswork.core.outgoing import Answer
from glasswork.features.github_issues.errors import OddAnswerError
from glasswork.features.github_issues.policy import LONGEST_WAIT, is_below, next_of, seconds_to_wait

BASE = "https://api.example.com/api/v3"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOON = str(int(NOW.timestamp()) + 90)
OVER = {"x-ratelimit-remaining": "0"}


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, True)


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (200, OVER | {"x-ratelimit-reset": SOON}, b"", None),
        (404, {"retry-after": "5"}, b"rate limit", None),
        (403, {"x-ratelimit-remaining": "7", "x-ratelimit-reset": SOON}, b"no", None),
        (403, OVER | {"x-ratelimit-reset": SOON}, b"", 91),
        (429, OVER | {"x-ratelimit-reset": "17"}, b"", 1),
        (429, OVER | {"x-ratelimit-reset": "999999999999"}, b"", LONGEST_WAIT),
        (403, OVER | {"x-ratelimit-reset": "soon"}, b"", None),
        (403, {"retry-after": "120"}, b"", 120),
        (429, {"retry-after": "0"}, b"", 1),
        (429, {"retry-after": "9" * 40}, b"", 60),
        (429, {"retry-after": "-5"}, b"", 60),
        (429, {}, b"", 60),
        (403, {}, b"You have exceeded a secondary Rate Limit.", 60),
    ],
)
def test_waits_as_long_as_is_asked(
    status: int, headers: dict[str, str], body: bytes, seconds: int | None
) -> None:
    assert seconds_to_wait(Answer(status, headers, body, is_whole=True), NOW) == seconds


@pytest.mark.parametrize(
    ("url", "is_inside"),
    [
        (f"{BASE}/repositories/1/issues?page=2", True),
        (BASE, False),
        ("https://api.example.com/other", False),
        ("https://api.example.com/api/v33/x", False),
        ("http://api.example.com/api/v3/x", False),
        ("https://api.example.com:8443/api/v3/x", False),
        ("https://api.example.com@evil.example/api/v3/x", False),
        ("https://evil.example/api/v3/x", False),
        (f"{BASE}/../../x", False),
        (f"{BASE}/%2e%2E/x", False),
        (f"{BASE}/..%5cx", False),
        ("/api/v3/x", False),
    ],
)
def test_goes_only_below_the_base(url: str, is_inside: bool) -> None:
    assert is_below(url, BASE) is is_inside
    found = answer(link=f'<{BASE}/first>; rel="first", <{url}>; rel="next"')
    if is_inside:
        assert next_of(found, f"{BASE}/1", BASE) == url
    else:
        with pytest.raises(OddAnswerError):
            next_of(found, f"{BASE}/1", BASE)


def test_does_not_go_in_a_circle() -> None:
    with pytest.raises(OddAnswerError):
        next_of(answer(link=f'<{BASE}/1>; rel="next"'), f"{BASE}/1", BASE)


@pytest.mark.parametrize(
    "link", ["", f'<{BASE}/9>; rel="last"', f'<{BASE}/9>; rel="prev", <x>; rel="nextish"']
)
def test_ends_where_no_page_follows(link: str) -> None:
    assert next_of(answer(link=link), f"{BASE}/1", BASE) is None
