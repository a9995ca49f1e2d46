"""Whose address counts when X-Forwarded-For names another one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

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
@pytest.mark.slow
def test_a_stranger_cannot_make_addresses_up(data_dir: Path, trusted: str) -> None:
    with Serving(data_dir, "--no-worker", TRUSTED_PROXIES=trusted) as serving:
        statuses = [guess(serving.client, f"198.51.100.{number}") for number in range(MANY)]
    assert 429 in statuses


@pytest.mark.slow
def test_a_trusted_proxy_says_who_calls(data_dir: Path) -> None:
    with Serving(data_dir, "--no-worker", TRUSTED_PROXIES="127.0.0.1/32") as serving:
        different = [guess(serving.client, f"198.51.100.{number}") for number in range(MANY)]
        same = [guess(serving.client, "203.0.113.7") for _ in range(MANY)]
        # What stands before the address that the proxy saw was sent by the caller.
        made_up = [guess(serving.client, f"198.51.100.{number}, 203.0.113.8") for number in range(MANY)]
    assert set(different) == {401}
    assert 429 in same
    assert 429 in made_up


@contextmanager
def proxy(base_url: str) -> Iterator[str]:
    """Yield the address of one that adds its caller to X-Forwarded-For, as Traefik and its like do."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            chain = [*self.headers.get_all("X-Forwarded-For", []), self.client_address[0]]
            answer = httpx2.get(
                base_url + self.path, headers={"X-Forwarded-For": ", ".join(chain)}, timeout=30
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its parent's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def statuses(base_url: str, address: str, *forwarded: str) -> list[int]:
    """Ask from an address of this machine, each time with another header."""
    transport = httpx2.HTTPTransport(local_address=address)
    with httpx2.Client(base_url=base_url, transport=transport, timeout=30) as client:
        return [
            client.get("/nowhere", headers={"X-Forwarded-For": each} if each else {}).status_code
            for each in forwarded
        ]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8, which only Linux answers for")
def test_the_budget_is_that_of_the_address_which_the_trusted_proxy_saw(data_dir: Path) -> None:
    made_up = ["", "198.51.100.1", "198.51.100.2, 127.0.0.1", "127.0.0.9"]
    limits = {"TRUSTED_PROXIES": "127.0.0.1/32", "RATE_LIMIT_GLOBAL": "3/hour"}
    with Serving(data_dir, "--no-worker", **limits) as serving, proxy(serving.base_url) as edge:
        assert statuses(serving.base_url, "127.0.0.2", *made_up) == [404, 404, 404, 429]
        assert statuses(edge, "127.0.0.2", "", "198.51.100.3") == [429, 429]
        assert statuses(edge, "127.0.0.3", *made_up) == [404, 404, 404, 429]
        assert statuses(serving.base_url, "127.0.0.3", "", "198.51.100.4") == [429, 429]
        assert statuses(edge, "127.0.0.9", "") == [404]
