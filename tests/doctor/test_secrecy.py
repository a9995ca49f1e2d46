import secrets
from base64 import b64encode
from pathlib import Path

import pytest

from glasswork.doctor.secrecy import secret_files, secret_strength, weakness_of
from tests.doctor.settings import STRONG, development, production


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("short", "fewer than 32 bytes"),
        ("-" * 32, "repeats itself"),
        ("0123456789abcdef" * 2, "repeats itself"),
        ("q8Xz" * 12, "repeats itself"),
        ("change-me-" + STRONG, "examples have"),
        ("a secret that is known to everybody who reads the tests", "examples have"),
        ("abcdefghijklmnopqrstuvwxyz0123456789", "counts up"),
        ("zyxwvutsrqponmlkjihgfedcba9876543210", "down"),
        ("aaxxaaxxaxaxaxxaxaxxaxxxaaxxaxaaxxaxk", "bits of entropy"),
    ],
)
def test_what_people_type_is_found(secret: str, reason: str) -> None:
    assert reason in (weakness_of(secret) or "")
    if len(secret) >= 32:
        found = secret_strength(production(jwt_secret=secret))
        assert (found.ok, found.severity) == (False, "error")
        assert secret not in found.evidence + found.advice


def test_what_a_generator_makes_is_good() -> None:
    for _ in range(50):
        made = (secrets.token_urlsafe(48), secrets.token_hex(24), b64encode(secrets.token_bytes(48)).decode())
        assert [weakness_of(secret) for secret in made] == [None] * 3
    assert secret_strength(production()).ok


def test_secrets_that_are_accepted_too_are_looked_at() -> None:
    found = secret_strength(production(jwt_accepted_secrets=f"{STRONG[::-1]},{'x' * 40}"))
    assert found.evidence == "JWT_ACCEPTED_SECRETS, number 2 repeats itself."


class TestFiles:
    @pytest.fixture
    def kept(self, data_dir: Path) -> Path:
        path = data_dir / "jwt_secret"
        path.write_text(STRONG)
        return path

    @pytest.mark.parametrize(("mode", "ok"), [(0o644, False), (0o604, False), (0o640, True), (0o600, True)])
    def test_is_closed_to_others(self, kept: Path, mode: int, ok: bool) -> None:
        kept.chmod(mode)
        found = secret_files(production(data_dir=kept.parent))
        assert (found.ok, found.severity) == (ok, "error")
        assert (str(kept) in found.evidence) == (not ok)
        assert secret_files(development(kept.parent)).severity == "note"

    def test_closed_folder_closes_what_is_in_it(self, kept: Path) -> None:
        kept.chmod(0o644)
        kept.parent.chmod(0o700)
        assert secret_files(production(data_dir=kept.parent)).ok

    def test_file_of_a_setting(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = data_dir / "redis url"
        path.write_text("redis://:hidden@localhost")
        monkeypatch.setenv("REDIS_URL_FILE", str(path))
        path.chmod(0o644)
        found = secret_files(production(data_dir=data_dir))
        assert not found.ok
        assert str(path) in found.evidence
        path.chmod(0o600)
        assert secret_files(production(data_dir=data_dir)).ok
