from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from glasswork.features.workspaces.models import Role

LastEventId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]


@dataclass(slots=True, eq=False)
class Frame:
    """A change, made ready to be sent once for all who follow its workspace."""

    seq: int
    type: str
    change: str
    """As JSON, as the feed shows it."""
    is_for_admins: bool
    task_ids: frozenset[UUID]
    project_ids: frozenset[UUID]
    began: float
    """When its transaction did, by this process's monotonic clock."""
    event: bytes | None = None
    """As an event of SSE, from when the first one was sent it."""

    def may_be_seen_by(self, role: Role) -> bool:
        return role.reaches(Role.ADMIN) or not self.is_for_admins


Picks = Callable[[Frame], bool]


def everything(_: Frame) -> bool:
    return True
