"""Argon2id, off the event loop and bounded: each hash takes 19 MiB and 30 ms of a core."""

import ctypes
import re
import unicodedata
from contextlib import suppress
from functools import cache
from importlib.resources import files
from os import cpu_count
from string import digits, punctuation

from anyio import CapacityLimiter, to_thread
from passlib.context import CryptContext

MAX_LENGTH = 128

_context = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19_456,  # KiB; with time 2 and parallelism 1: OWASP's first choice
    argon2__time_cost=2,
    argon2__parallelism=1,
)

# When such a block is freed, glibc learns not to give the next ones back to the system, and each thread keeps
# one: after some logins at once that were 150 MiB. With a bound that is set it does not learn.
_MMAP_THRESHOLD = -3
with suppress(OSError, AttributeError):  # another C library
    ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 4 * 2**20)

# What people build passwords from, after digits, signs and leet spelling are taken away.
_COMMON = frozenset(files("glasswork.core").joinpath("common_words.txt").read_text().split())
_MIN_DIFFERENT = 5
_LEET = str.maketrans("013457@$!", "oieastasi")
_SIGNS = digits + punctuation


def hash_password(password: str) -> str:
    """Blocking; request handlers call `hash_in_thread`."""
    return _context.hash(_normal(password))


async def hash_in_thread(password: str) -> str:
    return await to_thread.run_sync(hash_password, password, limiter=_limiter())


async def verify_in_thread(password: str, password_hash: str | None) -> bool:
    """Without a hash (an unknown user) it takes the same time and answers False."""
    if len(password) > MAX_LENGTH or not is_text(password):
        password, password_hash = "", None  # nobody's, and passlib raises on some of them
    matches = await to_thread.run_sync(
        _context.verify, _normal(password), password_hash or _decoy_hash(), limiter=_limiter()
    )
    return matches and password_hash is not None


def is_text(password: str) -> bool:
    """Whether UTF-8 can carry it: JSON can bring lone surrogates."""
    return all(unicodedata.category(sign) != "Cs" for sign in password)


def is_mixed(password: str) -> bool:
    """Whether there is a small and a capital letter, a digit, and something that is none of them."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda sign: not sign.isalnum())
    return all(any(map(kind, password)) for kind in kinds)


def needs_rehash(password_hash: str) -> bool:
    """Whether it was made with a smaller cost than today's."""
    return _context.needs_update(password_hash)


def is_common(password: str, *own_words: str) -> bool:
    """Whether the password is mere repetition, a well-known word with decoration, or the user's own name."""
    lowered = _normal(password).lower()
    # Digits and signs at either end are decoration or leet spelling: "$ecret2026", "passw0rd!".
    trimmed = (lowered, lowered.lstrip(_SIGNS), lowered.rstrip(_SIGNS), lowered.strip(_SIGNS))
    cores = {_letters(lowered), *(_letters(text.translate(_LEET)) for text in trimmed)}
    known = (_COMMON | {_letters(word.lower()) for word in own_words}) - {""}
    few_signs = len(set(lowered)) < _MIN_DIFFERENT
    return few_signs or any(_repeats(core, word) for core in cores for word in known)


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


def _repeats(core: str, word: str) -> bool:
    """No letters at all are a word repeated no times."""
    return core == word * (len(core) // len(word))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _decoy_hash() -> str:
    return hash_password("nobody has this password")


@cache
def _limiter() -> CapacityLimiter:
    return CapacityLimiter(cpu_count() or 1)
