"""Whose address counts when X-Forwarded-For names another one."""

from pathlib import Path

import httpx2
import pytest

from tests.processes import Serving

LOGIN = {"username": "nobody", "password": "another otter 78"}
MANY = 12
"""To all of these nobody would be answered 401 within a minute."""


def guess(client: httpx2.Client, forwarded: str) -> int:
    headers = {"X-Forwarded-For": forwarded, "X-Real-IP": forwarded, "Forwarded": f"for={forwarded}"}
    return client.post("/api/v1/auth/token", data=LOGIN, headers=headers).status_code


@pytest.mark.parametrize("trusted", ["", "192.0.2.0/24"], ids=["nobody", "somebody else"])
def test_a_stranger_cannot_make_addresses_up(data_dir: Path, trusted: str) -> None:
    with Serving(data_dir, "--no-worker", TRUSTED_PROXIES=trusted) as serving:
        statuses = [guess(serving.client, f"198.51.100.{number}") for number in range(MANY)]
    assert 429 in statuses


def test_a_trusted_proxy_says_who_calls(data_dir: Path) -> None:
    with Serving(data_dir, "--no-worker", TRUSTED_PROXIES="127.0.0.1/32") as serving:
        different = [guess(serving.client, f"198.51.100.{number}") for number in range(MANY)]
        same = [guess(serving.client, "203.0.113.7") for _ in range(MANY)]
        # What stands before the address that the proxy saw was sent by the caller.
        made_up = [guess(serving.client, f"198.51.100.{number}, 203.0.113.8") for number in range(MANY)]
    assert set(different) == {401}
    assert 429 in same
    assert 429 in made_up
