"""Signed messages between programs (Standard Webhooks 1.0): id, time and exact bytes, by a shared secret."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from hmac import compare_digest, digest
from secrets import token_bytes
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""How far the sender's clock may be from ours; a message that was caught is good for no longer."""

_PREFIX = "whsec_"
_VERSION = "v1"
_BYTES = 32
_LENGTHS = range(24, 65)  # what the specification allows


class Header(StrEnum):
    ID = "webhook-id"
    TIMESTAMP = "webhook-timestamp"
    SIGNATURE = "webhook-signature"


class Fault(StrEnum):
    """Why a message is not taken."""

    HEADERS = "headers"
    """One of the three is missing, or is not what it should be."""
    TIME = "time"
    SIGNATURE = "signature"


class BadSignatureError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def new_secret() -> bytes:
    return token_bytes(_BYTES)


def show_secret(secret: bytes) -> str:
    """Return it as both sides write it down: `whsec_` and Base64."""
    return _PREFIX + b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """Return 24 to 64 bytes of what `show_secret` gives, with the prefix or without, or raise ValueError."""
    try:
        secret = b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        raise ValueError("must look like whsec_ and Base64") from error
    if len(secret) not in _LENGTHS:
        raise ValueError(f"must stand for {_LENGTHS.start} to {_LENGTHS.stop - 1} bytes")
    return secret


def sign(secrets: Iterable[bytes], message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt, at a time since the epoch, with a signature for each secret."""
    signatures = (_signature(secret, message_id, str(seconds), body) for secret in secrets)
    return {
        Header.ID.value: message_id,
        Header.TIMESTAMP.value: str(seconds),
        Header.SIGNATURE.value: " ".join(f"{_VERSION},{each}" for each in signatures),
    }


def verify(secrets: Iterable[bytes], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Return the message's id where one of the secrets has signed it, or raise BadSignatureError."""
    message_id, timestamp = headers.get(Header.ID, ""), headers.get(Header.TIMESTAMP, "")
    if not (message_id and timestamp.isascii() and timestamp.isdigit() and Header.SIGNATURE in headers):
        raise BadSignatureError(Fault.HEADERS)
    if abs(now - int(timestamp[:20])) > TOLERANCE.total_seconds():
        raise BadSignatureError(Fault.TIME)
    given = [each.partition(",") for each in headers[Header.SIGNATURE].split(" ")]
    signatures = [text.encode() for version, _, text in given if version == _VERSION]
    for secret in secrets:
        expected = _signature(secret, message_id, timestamp, body).encode()
        if any(compare_digest(expected, signature) for signature in signatures):
            return message_id
    raise BadSignatureError(Fault.SIGNATURE)


def _signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    return b64encode(digest(secret, f"{message_id}.{timestamp}.".encode() + body, "sha256")).decode()
