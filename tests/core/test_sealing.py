from datetime import timedelta

import pytest

from glasswork.core.sealing import BrokenSealError, reseal, seal, unseal
from glasswork.core.tokens import Keys

KEYS = Keys.derive("one secret")


@pytest.mark.parametrize(
    ("keys", "purpose"), [(KEYS, "another"), (Keys.derive("another secret"), "purpose")], ids=["use", "key"]
)
def test_opens_with_the_same_key_and_purpose_only(keys: Keys, purpose: str) -> None:
    sealed = seal(KEYS, "purpose", b"value")
    with pytest.raises(BrokenSealError):
        unseal(keys, purpose, sealed)
    assert unseal(KEYS, "purpose", sealed) == b"value"


def test_a_changed_byte_breaks_it() -> None:
    sealed = bytearray(seal(KEYS, "purpose", b"value"))
    sealed[20] ^= 1
    with pytest.raises(BrokenSealError):
        unseal(KEYS, "purpose", bytes(sealed))


def test_is_good_for_its_lifetime() -> None:
    sealed = seal(KEYS, "purpose", b"value")
    with pytest.raises(BrokenSealError):
        unseal(KEYS, "purpose", sealed, timedelta(seconds=-1))
    assert unseal(KEYS, "purpose", sealed, timedelta(minutes=1)) == b"value"


def test_opens_after_the_secret_has_changed() -> None:
    sealed = seal(KEYS, "purpose", b"value")
    assert unseal(Keys.derive("new secret", "one secret"), "purpose", sealed) == b"value"


def test_sealed_anew_it_needs_the_old_secret_no_more() -> None:
    sealed = seal(KEYS, "purpose", b"value")
    anew = reseal(Keys.derive("new secret", "one secret"), "purpose", sealed)
    assert unseal(Keys.derive("new secret"), "purpose", anew) == b"value"
    assert reseal(Keys.derive("new secret"), "purpose", anew) == anew
    with pytest.raises(BrokenSealError):
        reseal(Keys.derive("new secret"), "purpose", sealed)
