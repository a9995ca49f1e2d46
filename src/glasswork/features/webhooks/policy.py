from collections.abc import Iterable
from ipaddress import ip_network
from urllib.parse import urlsplit
from uuid import UUID

from glasswork.core.addresses import is_public, literal_address
from glasswork.core.sealing import seal, unseal
from glasswork.core.tokens import Keys
from glasswork.features.workspaces.models import Role

MOST_WEBHOOKS = 100
"""Of a workspace: each of its changes is sent to all of them."""


def can_manage(role: Role) -> bool:
    """They send what admins may see, to wherever their owner likes."""
    return role.reaches(Role.ADMIN)


def why_refused(url: str, own_url: str, allowed: Iterable[str]) -> str | None:
    """Return what is wrong with a URL that can be told without asking anybody for its addresses."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if (parts.scheme, parts.netloc.lower()) == urlsplit(own_url)[:2]:
        return "must lead elsewhere: it is our own address, and each change would make another one"
    address = literal_address(host)
    if address is None or is_public(address) or any(address in ip_network(each) for each in allowed):
        return None
    return "must lead to a public address; networks named in the setting WEBHOOK_ALLOW_CIDRS are allowed too"


def seal_secret(keys: Keys, webhook_id: UUID, secret: bytes) -> str:
    return seal(keys, purpose_of(webhook_id), secret).decode()


def unseal_secret(keys: Keys, webhook_id: UUID, sealed: str) -> bytes:
    """Raise BrokenSealError where JWT_SECRET is another one by now."""
    return unseal(keys, purpose_of(webhook_id), sealed.encode())


def purpose_of(webhook_id: UUID) -> str:
    """Of the seal: it is the webhook's, so that in no other one's row it opens."""
    return f"webhook:{webhook_id}"
