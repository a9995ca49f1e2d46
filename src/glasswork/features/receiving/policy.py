"""Whether a message is what the sender has signed; nothing of it is read before that."""

from hmac import compare_digest, digest
from typing import Final

from glasswork.core.signatures import BadSignatureError, Fault, Header, verify
from glasswork.features.hooks.models import HookKind
from glasswork.features.hooks.schemas import OpenHook

from .errors import StaleMessageError, header_missing, signature_wrong
from .schemas import GithubHeader, Message, Proof

_LONGEST_ID: Final = 255
_PREFIX = "sha256="


def prove(hook: OpenHook, message: Message) -> Proof:
    """Return what the message is known by, or raise InvalidSignatureError or StaleMessageError."""
    return _prove_github(hook, message) if hook.kind is HookKind.GITHUB else _prove_json(hook, message)


def _prove_github(hook: OpenHook, message: Message) -> Proof:
    for name in GithubHeader:
        if not message.headers.get(name):
            raise header_missing(name)
    signature = message.headers[GithubHeader.SIGNATURE]
    expected = (_PREFIX + digest(secret, message.body, "sha256").hex() for secret in hook.secrets)
    if not any(compare_digest(each.encode(), signature.encode()) for each in expected):
        raise signature_wrong()
    return Proof(_fitting_id(message, GithubHeader.DELIVERY), signature)


def _prove_json(hook: OpenHook, message: Message) -> Proof:
    try:
        verify(hook.secrets, message.headers, message.body, hook.now.timestamp())
    except BadSignatureError as error:
        if error.fault is Fault.TIME:
            raise StaleMessageError from error
        if error.fault is Fault.SIGNATURE:
            raise signature_wrong() from error
        absent = (name for name in Header if not message.headers.get(name))
        raise header_missing(next(absent, Header.TIMESTAMP)) from error
    return Proof(_fitting_id(message, Header.ID), None)


def _fitting_id(message: Message, header: str) -> str:
    message_id = message.headers[header]
    if len(message_id) > _LONGEST_ID:
        raise header_missing(header)
    return message_id
