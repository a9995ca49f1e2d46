from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from glasswork.core.events import event_types
from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    Input,
    JsonNumber,
    Output,
    ProjectId,
    ShownOnce,
    Text,
    UserId,
    WebhookId,
    WorkspaceId,
    optional,
)

from .models import ALL_OF_KIND, DisabledReason

_NO_URL = "must look like https://host/path"


def _callable(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(_NO_URL) from error
    if not is_whole:
        raise ValueError(_NO_URL)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user name or password")
    if parts.fragment:
        raise ValueError("must have no fragment")
    return url


def _known(events: list[str]) -> list[str]:
    known = event_types()
    kinds = {type_.partition(".")[0] + ALL_OF_KIND for type_ in known}
    if unknown := [name for name in events if name not in known | kinds]:
        raise ValueError(f"must name events that there are, and not {', '.join(unknown)}")
    return sorted(set(events))


Url = Annotated[
    str,
    Field(max_length=2000, pattern=r"^https?://[!-~]+$", examples=["https://example.com/glasswork"]),
    AfterValidator(_callable),
]
EventName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.([a-z_]{1,40}|\*)$", examples=["task.*"])]
Events = Annotated[
    list[EventName],
    Field(
        max_length=100, description="Types of changes, `task.*` for all of a kind. Empty for all there are."
    ),
    AfterValidator(_known),
]
Description = Annotated[Text, Field(max_length=500)]
Hours = Annotated[int, Field(ge=0, le=168), JsonNumber]

_ORDERED = "Whether a change waits until those before it have been delivered."


class WebhookCreate(Input):
    url: Url
    events: Events = Field(default_factory=list)
    project_id: ProjectId | None = Field(None, description="Only its changes; null for the workspace's.")
    description: Description = ""
    is_ordered: bool = Field(False, description=_ORDERED)


class WebhookUpdate(Input):
    url: Url = optional()
    events: Events = optional()
    description: Description = optional()
    is_ordered: bool = optional()
    is_enabled: bool = optional()


class WebhookRead(Output):
    id: WebhookId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    url: str
    events: list[str]
    description: str
    is_ordered: bool = Field(description=_ORDERED)
    is_enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    secret_changed_at: datetime | None
    created_by: UserId
    version: int
    created_at: datetime
    updated_at: datetime


class WebhookIssued(WebhookRead):
    secret: Annotated[
        ShownOnce, Field(description="Shown this once: null in an answer that is replayed. It signs.")
    ]


class SecretChange(Input):
    previous_valid_hours: Hours = Field(24, description="So long the secret before signs as well.")


class WebhookQuery(PageQuery):
    sort: str = sort_by("created_at", default="created_at")
