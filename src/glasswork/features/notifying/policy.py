"""Who is told of what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from glasswork.features.notifications.models import Kind

NOTABLE = frozenset(
    {
        *("title", "description", "status", "priority", "assignee_id", "due_at", "start_at"),
        *("completed_at", "archived_at", "project_id"),
    }
)
"""Fields of a task whose change its watchers are told of."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, and who has to do with its task."""

    actor_id: UUID | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    watcher_ids: Iterable[UUID] = ()
    replied_to: UUID | None = None


def is_notable(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """Whether anybody might be told of it; imports bring the past, which is news to nobody."""
    fields = after or {}
    if fields.get("external"):
        return False
    is_task = before is None and "assignee_id" in fields
    if is_task:
        return fields["assignee_id"] is not None
    return before is None or not NOTABLE.isdisjoint(fields) or "mentions" in fields


def recipients(happened: Happened) -> dict[UUID, Kind]:
    """Return why each is told; never who did it."""
    told: dict[UUID, Kind] = dict.fromkeys(happened.watcher_ids, Kind.WATCHED)
    if happened.replied_to:
        told[happened.replied_to] = Kind.REPLIED
    if assignee_id := happened.after.get("assignee_id"):
        told[UUID(assignee_id)] = Kind.ASSIGNED
    for user_id in set(happened.after.get("mentions") or ()) - set(happened.before.get("mentions") or ()):
        told[UUID(user_id)] = Kind.MENTIONED
    return {user_id: kind for user_id, kind in told.items() if user_id != happened.actor_id}
