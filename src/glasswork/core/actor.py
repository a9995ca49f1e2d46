from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. Every use case takes one, so that none can forget to check."""

    user_id: UUID
    session_id: UUID

    @property
    def binds(self) -> dict[str, Any]:
        """The parameters of every statement that asks what this actor may see."""
        return {"actor_user_id": self.user_id, "actor_session_id": self.session_id}
