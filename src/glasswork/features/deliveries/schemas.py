from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import DeliveryId, Input, Output, Timestamp, WebhookId, WorkspaceId
from glasswork.features.activity.schemas import ChangeRead, EventType

from .models import DeliveryStatus


class Outcome(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It is under way, or whoever made it died meanwhile."""


class WorkspaceChange(ChangeRead):
    workspace_id: WorkspaceId


class Message(Output):
    """What a receiver is sent."""

    type: str
    timestamp: datetime = Field(description="When it happened.")
    data: WorkspaceChange


class PingData(Output):
    workspace_id: WorkspaceId
    webhook_id: WebhookId


class Ping(Output):
    type: str
    timestamp: datetime
    data: PingData


class DeliveryRead(Output):
    id: DeliveryId = Field(description="The `webhook-id` of all its attempts.")
    workspace_id: WorkspaceId
    webhook_id: WebhookId
    type: str = Field(examples=["task.updated"])
    seq: int | None = Field(description="Of the change; null of a ping.")
    request_id: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    finished_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class AttemptRead(Output):
    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome
    url: str
    headers: dict[str, Any] = Field(description="That it was sent with.")
    status: int | None = Field(description="That was answered.")
    answer_headers: dict[str, Any] | None
    answer: str | None = Field(description="The beginning of the answer's body.")
    error: str | None = Field(description="Why it failed.")


class DeliveryShown(DeliveryRead):
    body: str = Field(description="As it is sent, byte for byte: what is signed.")
    log: list[AttemptRead] = Field(description="The last 100 attempts, the newest last.")


class DeliveryQuery(PageQuery):
    status: list[DeliveryStatus] = Field([], max_length=3)
    type: list[EventType] = Field([], max_length=50)
    created_after: Timestamp | None = Field(None, description="From this moment on.")
    created_before: Timestamp | None = Field(None, description="Before this moment.")
    sort: str = sort_by("created_at", default="-created_at")


class Redelivery(Input):
    since: Timestamp = Field(description="What happened from this moment on.")
    delivered_too: bool = Field(False, description="Also what the receiver has taken.")


class RedeliveryRead(Output):
    workspace_id: WorkspaceId
    webhook_id: WebhookId
    first_seq: int | None = Field(description="Of the changes that are looked at once more; null: of none.")
    last_seq: int | None
