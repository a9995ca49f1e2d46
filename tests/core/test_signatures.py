from base64 import b64encode
from datetime import UTC, datetime
from time import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from glasswork.core.signatures import (
    BadSignatureError,
    Fault,
    Header,
    new_secret,
    read_secret,
    show_secret,
    sign,
    verify,
)

SECRET, OTHER = b"s" * 32, b"o" * 32
NOW = int(datetime.now(UTC).timestamp())
BODY = '{"type": "task.created", "title": "Größe"}'.encode()


def headers(*secrets: bytes, at: int = NOW, **changed: str) -> dict[str, str]:
    names = {"id": Header.ID, "time": Header.TIMESTAMP, "signature": Header.SIGNATURE}
    return sign(secrets or (SECRET,), "msg_1", at, BODY) | {
        names[name]: text for name, text in changed.items()
    }


class TestVerify:
    @pytest.mark.parametrize(
        "given",
        [
            {},
            headers(id=""),
            headers(time=""),
            headers(time="12.5"),
            headers(time="-5"),
            headers(time="²"),
            {name: text for name, text in headers().items() if name != Header.SIGNATURE},
        ],
    )
    def test_refuses_headers_that_are_none(self, given: dict[str, str]) -> None:
        assert fault_of(given, BODY) is Fault.HEADERS

    @pytest.mark.parametrize("seconds", [-301, 301, 10**12])
    def test_refuses_another_time(self, seconds: int) -> None:
        assert fault_of(headers(at=NOW + seconds), BODY) is Fault.TIME

    @pytest.mark.parametrize(
        ("given", "body"),
        [
            (headers(), BODY.replace(b"task", b"tasl")),
            (headers(), BODY.replace(b": ", b":")),
            (headers(id="msg_2"), BODY),
            (headers(time=str(NOW - 1)), BODY),
            (headers(OTHER), BODY),
            (headers(signature="v1,"), BODY),
            (headers(signature="v1"), BODY),
            (headers(signature="v1,\u00e9"), BODY),
            (headers(signature=headers()[Header.SIGNATURE].replace("v1,", "v2,")), BODY),
        ],
        ids=["byte", "spaces", "id", "time", "secret", "empty", "bare", "letters", "version"],
    )
    def test_refuses_what_was_not_signed(self, given: dict[str, str], body: bytes) -> None:
        assert fault_of(given, body) is Fault.SIGNATURE

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_takes_its_own(self, seconds: int) -> None:
        assert verify([SECRET], headers(at=NOW + seconds), BODY, NOW) == "msg_1"

    def test_takes_one_of_many_by_one_of_many(self) -> None:
        assert verify([OTHER, SECRET], headers(new_secret(), SECRET), BODY, NOW) == "msg_1"

    def test_takes_what_others_sign(self) -> None:
        signature = Webhook(show_secret(SECRET)).sign(
            "msg_1", datetime.fromtimestamp(NOW, UTC), BODY.decode()
        )
        assert verify([SECRET], headers(OTHER, signature=signature), BODY, NOW) == "msg_1"


class TestSign:
    def test_others_refuse_a_changed_one(self) -> None:
        with pytest.raises(WebhookVerificationError):
            Webhook(show_secret(SECRET)).verify(BODY + b" ", headers(OTHER, SECRET, at=int(time())))

    def test_others_take_it_with_each_of_its_secrets(self) -> None:
        for secret in (SECRET, OTHER):
            signed = headers(OTHER, SECRET, at=int(time()))  # the library has a clock of its own
            assert Webhook(show_secret(secret)).verify(BODY, signed)["title"] == "Größe"


class TestSecrets:
    @pytest.mark.parametrize("length", [0, 23, 65])
    def test_too_short_or_long_is_none(self, length: int) -> None:
        with pytest.raises(ValueError, match="24 to 64 bytes"):
            read_secret(show_secret(b"x" * length))

    @pytest.mark.parametrize("text", ["whsec_!", "no words", "whsec_é"])
    def test_other_text_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="whsec_"):
            read_secret(text)

    def test_is_read_as_shown(self) -> None:
        secret = new_secret()
        assert read_secret(show_secret(secret)) == read_secret(b64encode(secret).decode()) == secret


def fault_of(given: dict[str, str], body: bytes) -> Fault:
    with pytest.raises(BadSignatureError) as caught:
        verify([SECRET], given, body, NOW)
    return caught.value.fault
