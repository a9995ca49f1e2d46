import subprocess
import sys

import pytest

from glasswork.core import passwords
from glasswork.core.passwords import hash_in_thread, hash_password, is_common, is_text, verify_in_thread

HASH = hash_password("tremendous otter 77")


class TestIsCommon:
    @pytest.mark.parametrize(
        "password",
        [
            "password1234",
            "PASSWORD1234",
            "Passw0rd!2026",
            "p@$$w0rd1234",
            "$ecret123456",
            "123456secret",
            "1!secret!123",
            "pass-word-12",
            "passwordpassword",
            "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff441234",
            "monkey.monkey.monkey",
            "Summer2026!!",
            "login1234567",
            "aaaaaaaaaaaa",
            "abababababab",
            "abcdabcdabcd",
            "948271650382",
            "12.34.56-78!",
            "Ada_L_123456",
            "ada.lovelace",
            "AdaLovelace1815",
            "adaadaadaada",
        ],
    )
    def test_what_many_would_try_is_common(self, password: str) -> None:
        assert is_common(password, "Ada_L", "ada.lovelace", "ada")

    @pytest.mark.parametrize(
        "password",
        [
            "tremendous otter 77",
            "correct horse battery staple",
            "password of my neighbour",
            "kV7!pQz-93xT",
            "Пароль-и-ещё-что-то",
            "正しい馬の電池",
            "🦦🐎🔋🧷🌊 otter",
            "adamant lovely",
        ],
    )
    def test_what_few_would_try_is_not(self, password: str) -> None:
        assert not is_common(password, "Ada_L", "ada.lovelace", "ada")

    def test_an_own_word_without_letters_makes_nothing_common(self) -> None:
        assert not is_common("tremendous otter 77", "_12_")


@pytest.mark.parametrize(
    ("password", "expected"),
    [("otter", True), ("🦦", True), ("\0", True), ("\ud800", False), ("a\udfff", False)],
)
def test_lone_surrogates_are_no_text(password: str, *, expected: bool) -> None:
    assert is_text(password) is expected


@pytest.mark.anyio
class TestVerify:
    @pytest.mark.parametrize(
        "password",
        ["", "tremendous otter 78", "tremendous otter 77 ", "x" * 129, "x" * 5000, "\ud800", "\0"],
        ids=len,
    )
    async def test_refuses_another_password(self, password: str) -> None:
        assert not await verify_in_thread(password, HASH)

    async def test_refuses_the_first_part_of_a_longer_one(self) -> None:
        long = "otter 7 " * 16
        assert await verify_in_thread(long, await hash_in_thread(long))
        assert not await verify_in_thread(long + "!", await hash_in_thread(long))

    async def test_takes_the_password(self) -> None:
        assert await verify_in_thread("tremendous otter 77", HASH)

    async def test_nobody_has_the_password_of_nobody(self) -> None:
        assert not await verify_in_thread("nobody has this password", None)
        assert await verify_in_thread("nobody has this password", passwords._decoy_hash())  # noqa: SLF001


def test_a_hash_is_argon2id_with_the_work_that_owasp_asks_for() -> None:
    assert HASH.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password("tremendous otter 77") != HASH


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which Linux alone has")
def test_what_hashes_took_is_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", HASHES], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 30, "MiB are kept after forty hashes in eight threads, of 19 MiB each"


HASHES = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from glasswork.core.passwords import hash_password

def mebibytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

before = mebibytes()
with ThreadPoolExecutor(8) as threads:
    list(threads.map(hash_password, ["tremendous otter 77"] * 40))
print(round(mebibytes() - before))
"""
