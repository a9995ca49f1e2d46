from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Output, Reference, Timestamp, UserId, Who
from glasswork.features.activity.schemas import EventType

EventId = Annotated[UUID, Reference("event")]
SubjectId = Annotated[UUID, Reference("subject")]


class AuditQuery(PageQuery):
    """Of several values of one filter any may hold; different filters must all hold."""

    actor_id: list[UserId | Who] = Field(
        [], max_length=50, description="Who did it; `null`: nobody who had signed in."
    )
    type: list[EventType] = Field([], max_length=50)
    subject_id: list[SubjectId] = Field([], max_length=50)
    at_after: Timestamp | None = Field(None, description="From this moment on.")
    at_before: Timestamp | None = Field(None, description="Before this moment.")
    sort: str = sort_by("at", default="-at")


class AuditActor(Output):
    id: UserId
    name: str | None = Field(description="The present one, `Deleted user` when the account is gone.")


class Via(Output):
    kind: Literal["session", "api_token", "system"] = Field(
        description="`system`: without a sign-in, by a token that was mailed, or by the operator."
    )
    id: Annotated[UUID, Reference("via")] | None
    name: str | None = Field(description="The API token's.")


class AuditSubject(Output):
    type: str = Field(examples=["task"])
    id: SubjectId


class AuditRead(Output):
    id: EventId
    at: datetime
    type: EventType
    actor: AuditActor | None
    via: Via
    request_id: str
    subject: AuditSubject
    before: dict[str, Any] | None = Field(
        description="What changed, as it was; all of it when it is gone. Null after a purge, too."
    )
    after: dict[str, Any] | None = Field(description="What changed, as it is; all of it when it is new.")


class WorkspaceAuditRead(AuditRead):
    seq: int = Field(description="As in the workspace's changes.")
