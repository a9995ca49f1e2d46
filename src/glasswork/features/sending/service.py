from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from glasswork.core.outgoing import Answer, Outgoing, OutgoingCallError
from glasswork.core.sealing import BrokenSealError
from glasswork.core.signatures import sign
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys
from glasswork.features.deliveries.service import body_of
from glasswork.features.webhooks.policy import unseal_secret

from .policy import ERRORS, KEPT_CHARACTERS, KEPT_HEADERS, Verdict, judge

MAX_ANSWER_BYTES: Final = 16_384

_UNREADABLE: Final = (
    "The secret cannot be read, for JWT_SECRET is another one by now. Nothing was sent. POST to /secret makes"
    " a new one."
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One attempt, made ready."""

    delivery: AnyRow
    url: str
    headers: Mapping[str, str]
    """Empty where nothing can be signed."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of it."""

    verdict: Verdict
    failure: str | None
    """In one word, of a closed set."""
    logged: Mapping[str, Any]
    """As columns of the attempt."""

    @property
    def status(self) -> int | None:
        return self.logged.get("status")


class SendingService:
    """Signs and calls."""

    def __init__(self, outgoing: Outgoing, keys: Keys) -> None:
        self._outgoing = outgoing
        self._keys = keys

    def pack(self, webhook: AnyRow, delivery: AnyRow) -> Parcel:
        """Sign it with the time that it is `now`, and with each secret that is good."""
        body = body_of(delivery)
        sealed = [each for each in (webhook.secret, webhook.previous_secret) if each is not None]
        headers: dict[str, str] = {}
        with suppress(BrokenSealError):
            secrets = [unseal_secret(self._keys, webhook.id, each) for each in sealed]
            headers = {
                "Content-Type": "application/json",
                "X-Request-ID": delivery.request_id,
                **sign(secrets, str(delivery.id), int(delivery.now.timestamp()), body),
            }
        return Parcel(delivery, webhook.url, headers, body)

    async def send(self, parcel: Parcel) -> Receipt:
        if not parcel.headers:
            return Receipt(Verdict(_UNREADABLE), "secret", {"error": _UNREADABLE})
        try:
            answer = await self._outgoing.post(parcel.url, parcel.body, parcel.headers, MAX_ANSWER_BYTES)
        except OutgoingCallError as error:
            text = ERRORS[error.reason]
            return Receipt(Verdict(text), error.reason, {"error": text})
        verdict = judge(answer)
        return Receipt(
            verdict, None if verdict.is_delivered else "status", {"error": verdict.error, **_kept(answer)}
        )


def _kept(answer: Answer) -> dict[str, Any]:
    text = answer.body.decode(errors="replace").replace("\x00", "\ufffd")
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return {"status": answer.status, "answer_headers": headers, "answer": text[:KEPT_CHARACTERS]}
