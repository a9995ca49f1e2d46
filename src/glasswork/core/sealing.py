"""What is kept, or handed to a stranger to keep, and must not be read or changed meanwhile."""

from base64 import urlsafe_b64encode
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from .tokens import Keys


class BrokenSealError(Exception):
    """It is not what was sealed for this purpose, it is too old, or its secret is no longer accepted."""


def seal(keys: Keys, purpose: str, value: bytes) -> bytes:
    """Return Base64 (URL-safe): encrypted and authenticated, with the time (Fernet)."""
    return _fernet(keys, purpose).encrypt(value)


def unseal(keys: Keys, purpose: str, sealed: bytes, lifetime: timedelta | None = None) -> bytes:
    """Return what was sealed by any of the accepted secrets, or raise BrokenSealError."""
    boxes = MultiFernet([_fernet(each, purpose) for each in keys.all])
    seconds = int(lifetime.total_seconds()) if lifetime is not None else None
    try:
        return boxes.decrypt(sealed, ttl=seconds)
    except InvalidToken as error:
        raise BrokenSealError from error


def reseal(keys: Keys, purpose: str, sealed: bytes) -> bytes:
    """Return it sealed by the present secret, anew only where another one did, or raise BrokenSealError."""
    try:
        _fernet(keys, purpose).decrypt(sealed)
    except InvalidToken:
        return seal(keys, purpose, unseal(keys, purpose, sealed))
    return sealed


def _fernet(keys: Keys, purpose: str) -> Fernet:
    return Fernet(urlsafe_b64encode(keys.sealing(purpose)))
