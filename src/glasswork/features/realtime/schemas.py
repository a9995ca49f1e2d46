"""A change on its way, who follows, and what is kept for them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from glasswork.core.actor import Actor
from glasswork.core.streams import Ending, Stream
from glasswork.features.workspaces.models import Role

KEPT = 256
"""Frames of a workspace, for who comes back soon."""

LastEventId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]

Kind = Literal["sse", "websocket"]
Place = tuple[UUID, Actor]
"""A workspace, and who follows it."""
Standings = dict[Place, Role | Ending]
"""The roles of those who may look, and of the others why they may not."""


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


@dataclass(slots=True, eq=False)
class Following:
    """One workspace, or a part of it, in the stream of one client."""

    stream: "LiveStream"
    workspace_id: UUID
    picks: Picks
    key: str
    role: Role
    seq: int
    """Of the last change that was looked at for it."""
    is_near: bool
    """Nothing was behind that, when it was looked."""

    @property
    def place(self) -> Place:
        return self.workspace_id, self.stream.actor

    def takes(self, frame: Frame) -> bool:
        """Whether it is to be sent; it has been looked at by then."""
        is_new, self.seq = frame.seq > self.seq, max(self.seq, frame.seq)
        return is_new and self.stream.is_open and frame.may_be_seen_by(self.role) and self.picks(frame)


class LiveStream(Stream[tuple[Following, Frame]]):
    def __init__(self, kind: Kind, actor: Actor) -> None:
        super().__init__()
        self.kind = kind
        self.actor = actor
        self.frames = 0
        """That it was given."""
        self.followings: dict[str, Following] = {}


@dataclass(slots=True, eq=False)
class Room:
    """A workspace that is followed, read once for all who do."""

    workspace_id: UUID
    seq: int
    present: dict[Following, None] = field(default_factory=dict)
    kept: deque[Frame] = field(default_factory=lambda: deque(maxlen=KEPT))
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def since(self, seq: int) -> Sequence[Frame] | None:
        """Return what came after it; None where not all of that is kept."""
        if seq >= self.seq:
            return ()
        if not self.kept or self.kept[0].seq > seq + 1:
            return None
        return [frame for frame in self.kept if frame.seq > seq]
