"""Which addresses may be called: decided when they are dialled, for a name can mean another one by then."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import httpcore2

Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a name; raises OSError when there are none."""

_PORTS: Final = frozenset({80, 443})
# Reached by nobody in public, although `is_global` of some Python version says so.
_IPV4_SPECIAL: Final = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"))
_IPV6_UNICAST: Final = ip_network("2000::/3")
_IPV6_SPECIAL: Final = (ip_network("2001::/23"), ip_network("2002::/16"), ip_network("3fff::/20"))
_LOOPBACK_NAMES: Final = frozenset({"localhost", "localhost.localdomain"})
_NAT64: Final = ip_network("64:ff9b::/96")
_LAST_32_BITS: Final = 0xFFFF_FFFF


class ForbiddenAddressError(Exception):
    """The name means an address, or the URL a port, that is not to be called."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves once, looks at every address that it was given, and connects to one of these."""

    def __init__(self, allowed: Iterable[Network], resolve: Resolve | None = None) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve or _ask_system
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore2's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        if not all(self._permits(address, port) for address in addresses):
            raise ForbiddenAddressError
        for address in addresses[:-1]:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise ForbiddenAddressError

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the name cannot be resolved") from error
        if not addresses:
            raise httpcore2.ConnectError("the name has no address")
        return addresses

    def _permits(self, address: str, port: int) -> bool:
        ip = ip_address(address)
        return any(ip in network for network in self._allowed) or (port in _PORTS and is_public(ip))


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet could be meant; what wraps an IPv4 address is not, but for NAT64."""
    if isinstance(ip, IPv4Address):
        is_special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _IPV4_SPECIAL)
        return ip.is_global and not is_special
    if ip in _NAT64:
        return is_public(IPv4Address(int(ip) & _LAST_32_BITS))
    is_special = any(ip in network for network in _IPV6_SPECIAL)
    return ip in _IPV6_UNICAST and ip.is_global and not is_special


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is whatever anybody's name service says: `127.1` is one, too."""
    with suppress(ValueError):
        return ip_address(host)
    if host.rstrip(".").lower() in _LOOPBACK_NAMES:
        return IPv4Address("127.0.0.1")
    with suppress(OSError, UnicodeError):
        return IPv4Address(socket.inet_aton(host.encode("idna").decode()))
    return None


async def _ask_system(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
