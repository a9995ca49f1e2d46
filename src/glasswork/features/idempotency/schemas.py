from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request with a key: two that differ in nothing are one."""

    operation: str
    key: str
    fingerprint: str

    @property
    def binds(self) -> dict[str, str]:
        return {
            "attempt_operation": self.operation,
            "attempt_key": self.key,
            "attempt_fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    workspace_id: UUID | None
    """Out of which it tells."""
