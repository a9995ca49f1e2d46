from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from glasswork.core.actor import Scope
from glasswork.core.schemas import (
    ApiTokenId,
    ArchiveId,
    AttachmentId,
    CalendarFeedId,
    CommentId,
    HookId,
    IdentityId,
    ImportId,
    InvitationId,
    LinkId,
    Output,
    ProjectId,
    Reference,
    ReportId,
    SessionId,
    TaskId,
    UserId,
    WebhookId,
    WorkspaceId,
)
from glasswork.features.accounts.schemas import UserRead
from glasswork.features.archives.models import ArchiveStatus
from glasswork.features.calendars.models import FeedFilter
from glasswork.features.comments.models import Reaction
from glasswork.features.comments.schemas import ExternalComment
from glasswork.features.credentials.models import Purpose
from glasswork.features.hooks.models import HookKind
from glasswork.features.hooks.schemas import TaskMapping
from glasswork.features.imports.models import ImportFormat, ImportStatus
from glasswork.features.links.models import LinkKind
from glasswork.features.notifications.models import Kind
from glasswork.features.notifications.schemas import PreferenceRead
from glasswork.features.tasks.schemas import TaskRead
from glasswork.features.workspaces.models import Role


class SessionExport(Output):
    id: SessionId
    device: str | None
    created_at: datetime
    last_used_at: datetime
    ended_at: datetime | None


class ApiTokenExport(Output):
    id: ApiTokenId
    name: str
    scopes: list[Scope]
    workspace_id: WorkspaceId | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class OneTimeTokenExport(Output):
    purpose: Purpose
    address: str | None
    expires_at: datetime
    used_at: datetime | None


class SecondFactorExport(Output):
    confirmed_at: datetime | None = Field(description="Null while it is not on.")


class IdentityExport(Output):
    """Whom a provider knows, and who logs in with that here."""

    id: IdentityId
    provider: str
    subject: str
    email: str | None
    created_at: datetime
    last_used_at: datetime


class MembershipExport(Output):
    workspace_id: WorkspaceId
    workspace_name: str | None = Field(description="Null where I am no longer a member.")
    role: Role
    joined_at: datetime
    left_at: datetime | None


class InvitationExport(Output):
    id: InvitationId
    workspace_id: WorkspaceId
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    withdrawn_at: datetime | None


class TaskExport(TaskRead):
    deleted_at: datetime | None


class TaskElsewhereExport(Output):
    workspace_id: WorkspaceId
    created_at: datetime
    task: dict[str, Any] = Field(description="As I made it; what others made of it is theirs.")


class CommentExport(Output):
    id: CommentId
    workspace_id: WorkspaceId
    task_id: TaskId
    reply_to_id: CommentId | None
    body: str
    external: ExternalComment | None
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None


class ReactionsExport(Output):
    workspace_id: WorkspaceId
    comment_id: CommentId
    reactions: list[Reaction]


class AttachmentExport(Output):
    """The file itself is downloaded like any other."""

    id: AttachmentId
    workspace_id: WorkspaceId
    task_id: TaskId
    name: str
    size: int
    sha256: str
    media_type: str
    created_at: datetime


class LinkExport(Output):
    id: LinkId
    workspace_id: WorkspaceId
    task_id: TaskId
    kind: LinkKind
    url: str
    title: str | None
    created_at: datetime


class HookExport(Output):
    id: HookId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    kind: HookKind
    name: str
    mapping: TaskMapping | None
    created_at: datetime


class CalendarFeedExport(Output):
    id: CalendarFeedId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    name: str
    filter: FeedFilter
    time_zone: str
    created_at: datetime


class ImportExport(Output):
    id: ImportId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    format: ImportFormat
    source: str | None
    status: ImportStatus
    created_at: datetime


class WebhookExport(Output):
    """Without its URL, which may hold a secret of the workspace."""

    id: WebhookId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    description: str
    created_at: datetime


class ReportExport(Output):
    id: ReportId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    first_day: date
    last_day: date
    created_at: datetime


class ArchiveExport(Output):
    id: ArchiveId
    workspace_id: WorkspaceId
    status: ArchiveStatus
    created_at: datetime
    expires_at: datetime


class NotificationExport(Output):
    workspace_id: WorkspaceId
    kind: Kind
    task_id: TaskId | None
    comment_id: CommentId | None
    created_at: datetime
    read_at: datetime | None
    mailed_at: datetime | None


class EventExport(Output):
    id: Annotated[UUID, Reference("event")]
    at: datetime
    type: str
    subject_id: Annotated[UUID, Reference("subject")]
    actor_id: UserId | None
    session_id: SessionId | None
    api_token_id: ApiTokenId | None
    request_id: str
    before: dict[str, Any] | None = Field(description="Only of what is about me.")
    after: dict[str, Any] | None = Field(description="Only of what is about me.")


class MailExport(Output):
    subject: str
    kept_at: datetime


class AccountExport(Output):
    """All that is kept about a person, but secrets and what names others."""

    exported_at: datetime
    profile: UserRead
    sessions: list[SessionExport]
    api_tokens: list[ApiTokenExport]
    one_time_tokens: list[OneTimeTokenExport] = Field(description="What was mailed to me, until it expires.")
    second_factors: list[SecondFactorExport]
    identities: list[IdentityExport]
    memberships: list[MembershipExport]
    invitations: list[InvitationExport] = Field(description="To my address.")
    tasks: list[TaskExport] = Field(description="Made by me or assigned to me, where I am a member.")
    tasks_elsewhere: list[TaskElsewhereExport] = Field(description="Made by me where I no longer am.")
    comments: list[CommentExport] = Field(description="Made by me, wherever.")
    reactions: list[ReactionsExport] = Field(description="Mine to the comments of all.")
    attachments: list[AttachmentExport] = Field(description="Files that I gave to tasks, wherever.")
    links: list[LinkExport] = Field(description="That I gave to tasks, or a hook of mine, wherever.")
    hooks: list[HookExport] = Field(description="Made by me, wherever.")
    calendar_feeds: list[CalendarFeedExport] = Field(description="Without their links.")
    imports: list[ImportExport] = Field(description="Made by me, wherever.")
    webhooks: list[WebhookExport] = Field(description="Made by me, wherever.")
    reports: list[ReportExport] = Field(description="Ordered by me, wherever.")
    archives: list[ArchiveExport] = Field(description="Ordered by me, wherever; not what is in them.")
    notifications: list[NotificationExport]
    notification_preferences: list[PreferenceRead]
    events: list[EventExport] = Field(description="Of my account, and what I did to the installation.")
    mails: list[MailExport] = Field(description="To my address, where there is no mail server.")
