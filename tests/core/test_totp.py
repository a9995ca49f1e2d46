import pytest

from glasswork.core import totp

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        # the last six digits of RFC 6238, appendix B
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_makes_the_codes_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code_at(SECRET, totp.step_at(seconds)) == code


@pytest.mark.parametrize(("later", "found"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_finds_the_step_next_to_now_and_none_beyond(later: int, *, found: bool) -> None:
    now = totp.step_at(1_234_567_890)
    code = totp.code_at(SECRET, now + later)
    assert totp.find_step(SECRET, code, now) == (now + later if found else None)


@pytest.mark.parametrize("code", ["", "05924", "0005924", "00592", "005924 ", "-05924"])
def test_nothing_else_is_a_code(code: str) -> None:
    assert totp.find_step(SECRET, code, totp.step_at(1_234_567_890)) is None


def test_tells_apps_all_that_they_need() -> None:
    assert totp.uri(SECRET, "ada+x@example.com") == (
        "otpauth://totp/Glasswork:ada%2Bx%40example.com"
        "?digits=6&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&issuer=Glasswork&period=30"
    )


def test_a_secret_is_another_each_time() -> None:
    assert len({totp.new_secret() for _ in range(3)}) == 3
    assert {len(totp.new_secret()) for _ in range(3)} == {20}
