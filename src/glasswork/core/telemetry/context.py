"""What is known of the request in hand, shared by every signal about it."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from glasswork.core.telemetry.records import Record


@dataclass(slots=True)
class RequestContext:
    """One per request or attempt of a job, and changed in place, so that copies of the context see it."""

    request_id: str
    started: float = field(default_factory=perf_counter)
    first_byte: float | None = None
    last_byte: float | None = None
    status: int | None = None
    is_stream: bool = False
    """The answer goes on until somebody ends it."""
    is_aborted: bool = False
    """The caller was gone before the answer was whole."""
    error_code: str | None = None
    error: BaseException | None = None
    """The bug or the neighbour's failure behind a 5xx."""
    user_id: UUID | None = None
    path: str | None = None
    """Without what a stranger may have put into it."""
    workspace_id: str | None = None
    """Where the path names one."""
    client_ip: str | None = None
    user_agent: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    db_queries: int = 0
    db_seconds: float = 0
    db_wait_seconds: float = 0
    """Spent on waiting for a connection of the pool."""
    jobs_ordered: int = 0
    is_replayed: bool = False
    """The answer is that to an earlier request with the same Idempotency-Key."""
    retries: int = 0
    """How often the database undid it, and it began anew."""
    sent_error: Mapping[str, Any] | None = None
    """As the caller got it, without what the caller may have put into it."""
    record: Record | None = None
    """Where its spans and lines are kept for the operations page."""

    @property
    def seconds(self) -> float:
        """Until the last byte of the answer, without what ran after it; of a stream until the first."""
        end = self.first_byte if self.is_stream else self.last_byte
        return (end or perf_counter()) - self.started

    def begin_again(self) -> None:
        """What was done so far is undone, but took its time."""
        self.retries += 1
        self.jobs_ordered = 0


_current: ContextVar[RequestContext] = ContextVar("request")


def begin_request(request_id: str) -> RequestContext:
    context = RequestContext(request_id)
    _current.set(context)
    return context


def current_request() -> RequestContext:
    """Outside a request (a command, a job) a new one."""
    return _current.get(None) or begin_request(new_request_id())


def find_request() -> RequestContext | None:
    return _current.get(None)


def new_request_id() -> str:
    return str(uuid7())
