"""Manual order by a key that sorts as text: between any two keys there is room for another.

A key is an integer, whose first letter says how many digits it has (`a0` to `az`, `b00` to `bzz`, ... and
downwards `Zz` to `Z0`, `Yzz`, ...), and behind it, where one stands between two integers, a fraction. To
put something at an end costs no more digits than counting; what is made at the end takes the integer of
its number, and what is moved there a fraction, so that the two never meet.
"""

from typing import Final

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE: Final = len(DIGITS)


def key_of(number: int) -> str:
    """Return the key of the task with this number (from 0 on): larger numbers have later keys."""
    length = 1
    while number >= _BASE**length:
        number -= _BASE**length
        length += 1
    digits = "".join(DIGITS[number // _BASE**place % _BASE] for place in reversed(range(length)))
    return chr(ord("a") + length - 1) + digits


def key_between(before: str | None, after: str | None) -> str:
    """Return a key behind `before` and ahead of `after`; None: there is nothing on that side."""
    if before is None:
        return key_of(0) if after is None else _ahead_of(after)
    whole, fraction = _split(before)
    if after is None:
        return whole + _middle(fraction, None)
    whole_after, fraction_after = _split(after)
    if whole == whole_after:
        return whole + _middle(fraction, fraction_after)
    return whole + _middle(fraction, None)


def _ahead_of(key: str) -> str:
    whole, _ = _split(key)
    return _decrement(whole) + _middle("", None)


def _split(key: str) -> tuple[str, str]:
    head = key[0]
    digits = ord(head) - ord("a") + 1 if head >= "a" else ord("Z") - ord(head) + 1
    return key[: digits + 1], key[digits + 1 :]


def _decrement(whole: str) -> str:
    head, digits = whole[0], whole[1:]
    if digits.strip(DIGITS[0]):
        stem = digits.rstrip(DIGITS[0])
        lower = DIGITS[DIGITS.index(stem[-1]) - 1]
        return head + stem[:-1] + lower + DIGITS[-1] * (len(digits) - len(stem))
    if head == "a":
        return "Z" + DIGITS[-1]
    digits_below = len(digits) - 1 if head > "a" else len(digits) + 1
    return chr(ord(head) - 1) + DIGITS[-1] * digits_below


def _middle(low: str, high: str | None) -> str:
    """Return digits of a fraction between the two; `low` is less, and neither ends in 0."""
    if high is not None:
        same = 0
        while same < len(high) and (low[same : same + 1] or DIGITS[0]) == high[same]:
            same += 1
        if same:
            return high[:same] + _middle(low[same:], high[same:])
    first = DIGITS.index(low[0]) if low else 0
    last = DIGITS.index(high[0]) if high is not None else _BASE
    if last - first > 1:
        return DIGITS[(first + last + 1) // 2]
    if high is not None and len(high) > 1:
        return high[0]
    return DIGITS[first] + _middle(low[1:], None)
