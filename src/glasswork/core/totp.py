"""Passwords by the clock (RFC 6238) as every authenticator app makes them: SHA-1, 30 seconds, six digits."""

from hmac import compare_digest
from secrets import token_bytes
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS: Final = 30
DIGITS: Final = 6

_SECRET_BYTES = 20  # as long as what SHA-1 gives, says RFC 4226
_HASH = SHA1()  # noqa: S303 (in an HMAC it holds, and apps know no other)
_ISSUER = "Glasswork"


def new_secret() -> bytes:
    return token_bytes(_SECRET_BYTES)


def step_at(seconds: float) -> int:
    """Return the number of the step since the epoch."""
    return int(seconds) // STEP_SECONDS


def code_at(secret: bytes, step: int) -> str:
    return HOTP(secret, DIGITS, _HASH).generate(step).decode()


def find_step(secret: bytes, code: str, now: int) -> int | None:
    """Return the step that the code is of: `now`, or one next to it, because no two clocks agree."""
    fitting = [
        step
        for step in (now + 1, now, now - 1)
        if compare_digest(code_at(secret, step).encode(), code.encode())
    ]
    return fitting[0] if fitting else None


def uri(secret: bytes, account: str) -> str:
    """Return what apps read from a QR code."""
    return TOTP(secret, DIGITS, _HASH, STEP_SECONDS).get_provisioning_uri(account, _ISSUER)
