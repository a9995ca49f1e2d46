"""What admins see of the deliveries of a webhook."""

from typing import Any

from tests.factories.callers import Caller


async def log_of(admin: Caller, webhook: dict[str, Any], **query: Any) -> list[Any]:
    """Return the deliveries whole, in the order of their changes."""
    listed = await admin.get(f"/webhooks/{webhook['id']}/deliveries", sort="created_at", limit=100, **query)
    assert listed.status_code == 200, listed.text
    return [(await admin.get(f"/deliveries/{each['id']}")).json() for each in listed.json()["items"]]


def outcomes(delivery: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in delivery["log"]]
