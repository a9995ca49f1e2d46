"""What codes and challenges are made of."""

import hashlib
import secrets
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final
from uuid import UUID

from glasswork.core.guessing import Guess, Limit
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.tokens import Keys
from glasswork.features.accounts.models import User

from .errors import InvalidChallengeError, InvalidSecondFactorError

SECOND_FACTOR: Final = Guess(
    "second_factor", address=Limit(50), wrong=(InvalidChallengeError, InvalidSecondFactorError)
)
CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
MAX_ATTEMPTS: Final = 5
PAUSE: Final = timedelta(minutes=5)
"""After so many wrong codes: of a million codes three are right, and guessing must not find one."""

_RECOVERY_CODES = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: nothing in it looks like another
_GROUPS, _GROUP_LENGTH = 3, 5  # 75 bits: even of a stolen hash nobody finds the code
_CHALLENGE_PREFIX = "gwc_"
_CHALLENGE_PURPOSE = "second-factor challenge"
_ID_BYTES = 16


def new_recovery_codes() -> AbstractSet[str]:
    codes: set[str] = set()
    while len(codes) < _RECOVERY_CODES:
        groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
        codes.add("-".join(groups))
    return codes


def plain(code: str) -> str:
    """Return the code as it is compared, however it was typed; of what can be none, nothing."""
    signs = "".join(code.replace("-", "").split()).lower()
    return signs if signs.isascii() else ""


def new_challenge(keys: Keys, user: User) -> str:
    """For who has proved the first factor: it tells whom, and is good while the password is the same."""
    return _CHALLENGE_PREFIX + seal(keys, _CHALLENGE_PURPOSE, user.id.bytes + mark_of(user)).decode()


def read_challenge(keys: Keys, token: str) -> tuple[UUID, bytes]:
    """Return the user's id and mark of then, or raise InvalidChallengeError."""
    prefix, sealed = token[: len(_CHALLENGE_PREFIX)], token[len(_CHALLENGE_PREFIX) :]
    if prefix != _CHALLENGE_PREFIX or not sealed.isascii():
        raise InvalidChallengeError
    try:
        value = unseal(keys, _CHALLENGE_PURPOSE, sealed.encode(), CHALLENGE_LIFETIME)
    except BrokenSealError as error:
        raise InvalidChallengeError from error
    return UUID(bytes=value[:_ID_BYTES]), value[_ID_BYTES:]


def mark_of(user: User) -> bytes:
    """Another one when the password is another one."""
    return hashlib.sha256((user.password_hash or "").encode()).digest()


def purpose_of(user_id: UUID) -> str:
    """Of the seal: it is the user's, so that in nobody else's row it opens."""
    return f"totp of {user_id}"
