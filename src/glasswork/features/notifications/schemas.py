from datetime import datetime
from typing import Annotated

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    CommentId,
    Input,
    NotificationId,
    Output,
    ProjectId,
    TaskId,
    TimeZone,
    UserId,
    WorkspaceId,
)

from .models import Kind, Mailing

MOST_PREFERENCES = 200


class NotifiedTask(Output):
    id: TaskId
    key: str
    title: str


class NotificationRead(Output):
    id: NotificationId
    kind: Kind
    workspace_id: WorkspaceId
    task: NotifiedTask | None
    comment_id: CommentId | None
    actor_id: UserId | None = Field(description="Who did it; null: nobody but the clock.")
    created_at: datetime
    read_at: datetime | None


class NotificationQuery(PageQuery):
    """Of several values of one filter any may hold; different filters must all hold."""

    unread: bool = Field(False, description="Only those that are not read yet.")
    kind: list[Kind] = Field([], max_length=10)
    workspace_id: list[WorkspaceId] = Field([], max_length=50)
    sort: str = sort_by("created_at", default="-created_at")


class NotificationCounts(Output):
    unread: int
    by_kind: dict[Kind, int] = Field(description="Unread ones; kinds without any are not there.")


class PreferenceRead(Output):
    """How I want to be told of a kind of thing; with a project, of what happens there."""

    kind: Kind
    project_id: ProjectId | None
    in_app: bool
    mail: Mailing


class PreferenceWrite(Input):
    kind: Kind
    project_id: ProjectId | None = None
    in_app: bool
    mail: Mailing


class Preferences(Output):
    time_zone: str = Field(description="Daily letters come at eight in the morning there.")
    preferences: list[PreferenceRead] = Field(description="Where there is none, the kind's `usual` holds.")
    usual: list[PreferenceRead]


class PreferencesWrite(Input):
    time_zone: TimeZone
    preferences: Annotated[list[PreferenceWrite], Field(max_length=MOST_PREFERENCES)]
