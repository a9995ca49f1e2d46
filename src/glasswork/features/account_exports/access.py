"""The rows that are kept about one person, each with the column by which the next batch is found."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    String,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    null,
    or_,
    select,
)

from glasswork.core.events import InstallationEvent, WorkspaceEvent
from glasswork.core.mail import KeptMail
from glasswork.core.paging import AnySelect
from glasswork.features.accounts.models import ApiToken, UserSession
from glasswork.features.archives.models import Archive
from glasswork.features.attachments.models import Attachment
from glasswork.features.calendars.models import CalendarFeed
from glasswork.features.comments.models import Comment, CommentReaction
from glasswork.features.credentials.models import OneTimeToken
from glasswork.features.hooks.models import Hook
from glasswork.features.identities.models import Identity
from glasswork.features.imports.models import Import
from glasswork.features.invitations.models import Invitation
from glasswork.features.links.models import TaskLink
from glasswork.features.notifications.models import Notification, Preference
from glasswork.features.projects.models import Project, Status
from glasswork.features.reports.models import Report
from glasswork.features.second_factors.models import TotpSecret
from glasswork.features.tasks.access import LABEL_IDS, WATCHER_IDS, task_key
from glasswork.features.tasks.events import TaskCreated
from glasswork.features.tasks.models import Task
from glasswork.features.webhooks.models import Webhook
from glasswork.features.workspaces.models import Membership, Workspace

_USER_ID: ColumnElement[Any] = bindparam("user_id", type_=Uuid())
_EMAIL: ColumnElement[Any] = bindparam("email", type_=Text())
_WORKSPACE_ID: ColumnElement[Any] = bindparam("in_workspace", type_=Uuid())

_IS_INSIDE = and_(Membership.removed_at.is_(None), Workspace.deleted_at.is_(None))
WORKSPACES = (
    select(Membership.workspace_id, _IS_INSIDE.label("is_inside"))
    .join(Workspace, Workspace.id == Membership.workspace_id)
    .where(Membership.user_id == _USER_ID)
    .order_by(Membership.workspace_id)
)
_IS_ABOUT_ME = or_(
    InstallationEvent.subject_id == _USER_ID,
    func.coalesce(InstallationEvent.after, InstallationEvent.before)["user_id"].astext
    == cast(_USER_ID, String),
)

_reactions = (
    select(
        CommentReaction.workspace_id,
        CommentReaction.comment_id,
        func.array_agg(CommentReaction.reaction, type_=ARRAY(Text())).label("reactions"),
    )
    .where(CommentReaction.user_id == _USER_ID)
    .group_by(CommentReaction.workspace_id, CommentReaction.comment_id)
    .subquery("reactions")
)

STATEMENTS: Mapping[str, tuple[AnySelect, Any]] = {
    "sessions": (
        select(
            UserSession.id,
            UserSession.user_agent.label("device"),
            UserSession.created_at,
            UserSession.rotated_at.label("last_used_at"),
            UserSession.revoked_at.label("ended_at"),
        ).where(UserSession.user_id == _USER_ID),
        UserSession.id,
    ),
    "api_tokens": (
        select(
            ApiToken.id,
            ApiToken.name,
            ApiToken.scopes,
            ApiToken.workspace_id,
            ApiToken.created_at,
            ApiToken.expires_at,
            ApiToken.last_used_at,
            ApiToken.revoked_at,
        ).where(ApiToken.user_id == _USER_ID),
        ApiToken.id,
    ),
    "one_time_tokens": (
        select(
            OneTimeToken.purpose, OneTimeToken.address, OneTimeToken.expires_at, OneTimeToken.used_at
        ).where(OneTimeToken.user_id == _USER_ID),
        OneTimeToken.token_hash,
    ),
    "second_factors": (
        select(TotpSecret.confirmed_at).where(TotpSecret.user_id == _USER_ID),
        TotpSecret.user_id,
    ),
    "identities": (
        select(
            Identity.id,
            Identity.provider,
            Identity.subject,
            Identity.email,
            Identity.created_at,
            Identity.last_used_at,
        ).where(Identity.user_id == _USER_ID),
        Identity.id,
    ),
    "memberships": (
        select(
            Membership.workspace_id,
            case((_IS_INSIDE, Workspace.name), else_=null()).label("workspace_name"),
            Membership.role,
            Membership.created_at.label("joined_at"),
            Membership.removed_at.label("left_at"),
        )
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(Membership.user_id == _USER_ID),
        Membership.workspace_id,
    ),
    "invitations": (
        select(
            Invitation.id,
            Invitation.workspace_id,
            Invitation.email,
            Invitation.role,
            Invitation.created_at,
            Invitation.expires_at,
            Invitation.accepted_at,
            Invitation.withdrawn_at,
        ).where(func.lower(Invitation.email) == func.lower(_EMAIL)),
        Invitation.id,
    ),
    "tasks": (
        select(
            *(each for each in Task.__table__.columns if each.name not in {"number", "status_id", "search"}),
            task_key(Project.key).label("key"),
            Status.key.label("status"),
            LABEL_IDS.label("label_ids"),
            WATCHER_IDS.label("watcher_ids"),
        )
        .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
        .join(Status, and_(Status.workspace_id == Task.workspace_id, Status.id == Task.status_id))
        .where(
            Task.workspace_id == _WORKSPACE_ID, or_(Task.created_by == _USER_ID, Task.assignee_id == _USER_ID)
        ),
        Task.id,
    ),
    "tasks_elsewhere": (
        select(
            WorkspaceEvent.workspace_id,
            WorkspaceEvent.at.label("created_at"),
            WorkspaceEvent.after.label("task"),
        ).where(
            WorkspaceEvent.workspace_id == _WORKSPACE_ID,
            WorkspaceEvent.actor_id == _USER_ID,
            WorkspaceEvent.type == TaskCreated.type,
            WorkspaceEvent.after.is_not(None),
        ),
        WorkspaceEvent.seq,
    ),
    "comments": (
        select(
            Comment.id,
            Comment.workspace_id,
            Comment.task_id,
            Comment.reply_to_id,
            Comment.body,
            Comment.external,
            Comment.created_at,
            Comment.edited_at,
            Comment.deleted_at,
        ).where(Comment.author_id == _USER_ID, Comment.body.is_not(None)),
        Comment.id,
    ),
    "reactions": (select(_reactions), _reactions.c.comment_id),
    "attachments": (
        select(
            Attachment.id,
            Attachment.workspace_id,
            Attachment.task_id,
            Attachment.name,
            Attachment.size,
            Attachment.sha256,
            Attachment.media_type,
            Attachment.created_at,
        ).where(Attachment.created_by == _USER_ID),
        Attachment.id,
    ),
    "links": (
        select(
            TaskLink.id,
            TaskLink.workspace_id,
            TaskLink.task_id,
            TaskLink.kind,
            TaskLink.url,
            TaskLink.title,
            TaskLink.created_at,
        ).where(TaskLink.created_by == _USER_ID),
        TaskLink.id,
    ),
    "hooks": (
        select(
            Hook.id,
            Hook.workspace_id,
            Hook.project_id,
            Hook.kind,
            Hook.name,
            Hook.mapping,
            Hook.created_at,
        ).where(Hook.created_by == _USER_ID),
        Hook.id,
    ),
    "calendar_feeds": (
        select(
            CalendarFeed.id,
            CalendarFeed.workspace_id,
            CalendarFeed.project_id,
            CalendarFeed.name,
            CalendarFeed.filter,
            CalendarFeed.time_zone,
            CalendarFeed.created_at,
        ).where(CalendarFeed.user_id == _USER_ID),
        CalendarFeed.id,
    ),
    "imports": (
        select(
            Import.id,
            Import.workspace_id,
            Import.project_id,
            Import.format,
            Import.source,
            Import.status,
            Import.created_at,
        ).where(Import.created_by == _USER_ID),
        Import.id,
    ),
    "webhooks": (
        select(
            Webhook.id,
            Webhook.workspace_id,
            Webhook.project_id,
            Webhook.description,
            Webhook.created_at,
        ).where(Webhook.created_by == _USER_ID),
        Webhook.id,
    ),
    "reports": (
        select(
            Report.id,
            Report.workspace_id,
            Report.project_id,
            Report.first_day,
            Report.last_day,
            Report.created_at,
        ).where(Report.created_by == _USER_ID),
        Report.id,
    ),
    "archives": (
        select(
            Archive.id, Archive.workspace_id, Archive.status, Archive.created_at, Archive.expires_at
        ).where(Archive.created_by == _USER_ID),
        Archive.id,
    ),
    "notifications": (
        select(
            Notification.workspace_id,
            Notification.kind,
            Notification.task_id,
            Notification.comment_id,
            Notification.created_at,
            Notification.read_at,
            Notification.mailed_at,
        ).where(Notification.user_id == _USER_ID),
        Notification.id,
    ),
    "notification_preferences": (
        select(
            Preference.kind,
            Preference.project_id,
            Preference.in_app,
            Preference.mail,
        ).where(Preference.user_id == _USER_ID),
        Preference.id,
    ),
    "events": (
        select(
            InstallationEvent.id,
            InstallationEvent.at,
            InstallationEvent.type,
            InstallationEvent.subject_id,
            InstallationEvent.actor_id,
            InstallationEvent.session_id,
            InstallationEvent.api_token_id,
            InstallationEvent.request_id,
            # What I did to others may name them.
            case((_IS_ABOUT_ME, InstallationEvent.before), else_=null()).label("before"),
            case((_IS_ABOUT_ME, InstallationEvent.after), else_=null()).label("after"),
        ).where(or_(InstallationEvent.actor_id == _USER_ID, InstallationEvent.subject_id == _USER_ID)),
        InstallationEvent.id,
    ),
    "mails": (
        select(KeptMail.subject, KeptMail.kept_at).where(
            func.lower(KeptMail.recipient) == func.lower(_EMAIL)
        ),
        KeptMail.job_id,
    ),
}
