"""Who calls, as far as that is certain before anything is asked of the database."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from uuid import UUID

from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import Scope

from glasswork.core.actor import Actor
from glasswork.core.request_headers import header_of
from glasswork.core.tokens import InvalidTokenError, Keys, digest, is_api_token, read_access_token

_READ: Final = "glasswork.session"


@dataclass(frozen=True, slots=True)
class Caller:
    key: str
    """Of the account, or of a stranger's address."""
    token: str | None = None
    """Which session or API token; a stranger has none."""


class Callers:
    """A token that anybody could have made up tells nothing: who brings it is known by address.

    An API token is known for what it is once this process has used it; `find_owner` says whose it was.
    """

    def __init__(self, keys: Keys, find_owner: Callable[[str], UUID | None]) -> None:
        self._keys = keys
        self._find_owner = find_owner

    def identify(self, scope: Scope) -> Caller:
        scheme, token = get_authorization_scheme_param(header_of(scope, b"authorization"))
        known = self._find(scope, token) if scheme.lower() == "bearer" else None
        return known or Caller(f"address:{client_key(scope)}")

    def _find(self, scope: Scope, token: str) -> Caller | None:
        if is_api_token(token):
            token_hash = digest(token)
            owner = self._find_owner(token_hash)
            return Caller(f"account:{owner}", f"token:{token_hash}") if owner else None
        try:
            actor = read_session(scope, self._keys, token)
        except InvalidTokenError:
            return None
        return Caller(f"account:{actor.user_id}", f"session:{actor.session_id}")


def read_session(scope: Scope, keys: Keys, token: str) -> Actor:
    """Return whom a session's token speaks for, verified once in a request, or raise InvalidTokenError."""
    read: tuple[str, Actor] | None = scope.get(_READ)
    if read is None or read[0] != token:
        read = scope[_READ] = (token, read_access_token(keys, token))
    return read[1]


def client_key(scope: Scope) -> str:
    """The caller's address; of IPv6 the /64, since one host owns all of it.

    On a socket of both families all of IPv4 lies in one /64, as ::ffff:192.0.2.1.
    """
    host = (scope.get("client") or ("unknown", 0))[0].partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return host
