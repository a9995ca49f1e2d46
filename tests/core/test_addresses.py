"""What may be dialled: a canary on this machine hears nothing of what is refused."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest

from glasswork.core import addresses
from glasswork.core.addresses import Resolve, is_public
from glasswork.core.outgoing import Outgoing, OutgoingCallError, Reason

from .outside import Outside

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql+asyncpg://nobody@nowhere/nothing"

PRIVATE = (
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),  # noqa: S104
    *("172.16.0.1", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:808:808::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1"),
    *("fec0::1", "ff02::1", "5f00::1", "4000::1"),
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::808:808")

TO_THIS_MACHINE = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001"),
    *("127.0.0.1.", "127。0。0。1", "１２７.0.0.1", "①②⑦.0.0.1", "0", "0.0.0.0", "localhost"),  # noqa: RUF001, S104
    *("LOCALHOST", "localhost.", "ⓛocalhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]"),
    *("user:pass@127.0.0.1", "example.com@127.0.0.1"),
)
"""Some are no names to the resolver or to the parser of URLs: nobody is reached by these either."""
MEANS_THIS_MACHINE = ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "127。0。0。1", "user:pass@127.0.0.1")


@asynccontextmanager
async def outgoing(*allowed: str, resolve: Resolve | None = None) -> AsyncIterator[Outgoing]:
    made = Outgoing(allowed, resolve=resolve)
    yield made
    await made.close()


@pytest.fixture
async def canary(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outside]:
    """On a port as good as 80, so that nothing but its address can save it."""
    async with Outside().listening() as canary:
        monkeypatch.setattr(addresses, "_PORTS", frozenset({canary.port}))
        yield canary


@pytest.mark.parametrize("address", PRIVATE)
def test_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", TO_THIS_MACHINE)
async def test_no_byte_comes_through(canary: Outside, host: str) -> None:
    async with outgoing() as client:
        for call in (
            client.get(f"http://{host}:{canary.port}/"),
            client.post(f"http://{host}:{canary.port}/", b"x", {}),
        ):
            with pytest.raises(OutgoingCallError):
                await call
    assert canary.connections == 0


@pytest.mark.parametrize("host", MEANS_THIS_MACHINE)
async def test_what_the_operator_allows_comes_through(canary: Outside, host: str) -> None:
    async with outgoing("127.0.0.0/8", "::1/128") as client:
        assert (await client.get(f"http://{host}:{canary.port}/")).status == 200
    assert canary.connections == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "10.0.0.1"])
@pytest.mark.parametrize("place", [0, 1])
async def test_one_forbidden_address_among_others_is_enough(
    canary: Outside, address: str, place: int
) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["8.8.8.8", address][:: 1 if place else -1]

    async with outgoing(resolve=resolve) as client:
        with pytest.raises(OutgoingCallError) as refusal:
            await client.get(f"http://innocent.example:{canary.port}/")
    assert refusal.value.reason is Reason.ADDRESS
    assert canary.connections == 0


async def test_a_name_that_changes_its_meaning_is_connected_to_what_was_looked_at(canary: Outside) -> None:
    meanings = iter([["127.0.0.2"], ["127.0.0.1"]])

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return next(meanings)

    async with (
        Outside().listening("127.0.0.2", canary.port) as good,
        outgoing("127.0.0.2/32", resolve=resolve) as client,
    ):
        url = f"http://rebinding.example:{canary.port}/"
        assert (await client.get(url)).status == 200
        assert f"Host: rebinding.example:{canary.port}".encode() in good.requests[0]
        with pytest.raises(OutgoingCallError):
            await client.get(url)
    assert (good.connections, canary.connections) == (1, 0)


def test_another_port_is_for_allowed_networks_only() -> None:
    guard = addresses.GuardedBackend([ip_network("127.0.0.0/8")])
    assert [guard._permits("8.8.8.8", port) for port in (80, 443, 22, 8080)] == [True, True, False, False]  # noqa: SLF001
    assert guard._permits("127.0.0.1", 8080)  # noqa: SLF001


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "//127.0.0.1/", "", "http://", "x" * 9],
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    async with outgoing("127.0.0.0/8") as client:
        with pytest.raises(OutgoingCallError):
            await client.get(url)
