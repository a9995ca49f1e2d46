"""What is known of the request in hand, shared by every signal about it."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from uuid import UUID

from uuid_utils.compat import uuid7


@dataclass(slots=True)
class RequestContext:
    """One per request and changed in place, so that copies of the context see the same one."""

    request_id: str
    started: float = field(default_factory=perf_counter)
    last_byte: float | None = None
    status: int | None = None
    error_code: str | None = None
    user_id: UUID | None = None

    @property
    def seconds(self) -> float:
        """Until the last byte of the answer, without what ran after it."""
        return (self.last_byte or perf_counter()) - self.started


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
