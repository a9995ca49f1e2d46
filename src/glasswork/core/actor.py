from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class Scope(StrEnum):
    """What an API token may be good for; within that its owner's roles decide, as for a session."""

    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    WORKSPACES_READ = "workspaces:read"
    WORKSPACES_WRITE = "workspaces:write"
    PROJECTS_READ = "projects:read"
    PROJECTS_WRITE = "projects:write"
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    CHANGES_READ = "changes:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    AUDIT_READ = "audit:read"
    ARCHIVES_READ = "archives:read"
    ARCHIVES_WRITE = "archives:write"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"


@dataclass(frozen=True, slots=True)
class TokenUse:
    """An API token that was presented, and the scope that is needed of it."""

    token_hash: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. Every use case takes one, so that none can forget to check."""

    user_id: UUID
    session_id: UUID
    """The session's, or the API token's."""
    token: TokenUse | None = None
    expires_at: float | None = field(default=None, compare=False)
    """Until when a session's access token is taken; an API token's end is the database's to tell."""

    @property
    def binds(self) -> dict[str, Any]:
        """The parameters of every statement that asks what this actor may see.

        Of session and token one is null, so that neither's id can stand in for the other's.
        """
        if self.token is None:
            return {
                "actor_user_id": self.user_id,
                "actor_session_id": self.session_id,
                "actor_token_id": None,
                "actor_token_hash": None,
                "actor_scope": None,
            }
        return {
            "actor_user_id": self.user_id,
            "actor_session_id": None,
            "actor_token_id": self.session_id,
            "actor_token_hash": self.token.token_hash,
            "actor_scope": self.token.scope,
        }
