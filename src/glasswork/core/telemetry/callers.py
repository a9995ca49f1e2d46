"""As much of a caller as the signals may know."""

from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

_FAMILIES = (  # the more special ones first: all call themselves Mozilla, and most Safari
    "Edg", "OPR", "Firefox", "Chrome", "Safari", "bot", "curl", "Wget", "HTTPie", "python-httpx", "httpx",
    "python-requests", "aiohttp", "Python-urllib", "Go-http-client", "okhttp", "axios", "node-fetch",
    "undici", "node", "PostmanRuntime", "insomnia", "Apache-HttpClient", "Java", "Dart", "Ruby",
    "GuzzleHttp", "PHP", "Prometheus", "Mozilla",
)  # fmt: skip
OTHER_AGENT = "other"


@lru_cache(maxsize=1000)
def user_agent_family(header: str | None) -> str:
    """One of a closed set: what a caller calls itself is the caller's text."""
    if not header:
        return "none"
    return next((family for family in _FAMILIES if family in header), OTHER_AGENT)


@lru_cache(maxsize=1000)
def short_address(host: str) -> str:
    """The network that the caller is in: /24 of IPv4, /48 of IPv6."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if (mapped := getattr(address, "ipv4_mapped", None)) is not None:
        address = mapped
    return str(ip_network((address, 24 if isinstance(address, IPv4Address) else 48), strict=False))
