"""The webhooks that the actor may manage: those of workspaces that they are an admin of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.models import Project
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Role

from .errors import WebhookNotFoundError
from .models import Webhook

STANDS = (
    Webhook.deleted_at.is_(None),
    or_(
        Webhook.project_id.is_(None),
        select(Project.id)
        .where(
            Project.workspace_id == Webhook.workspace_id,
            Project.id == Webhook.project_id,
            Project.deleted_at.is_(None),
        )
        .exists(),
    ),
)


async def role_for(session: AsyncSession, actor: Actor, webhook_id: UUID) -> Role:
    """Return the actor's role where the webhook is, if they may see that."""
    statement = (
        select(access.c.role)
        .join(Webhook, Webhook.workspace_id == access.c.workspace_id)
        .where(Webhook.id == webhook_id, *STANDS)
    )
    role: Role | None = (await session.execute(statement, actor.binds)).scalar_one_or_none()
    if role is None:
        await ensure_signed_in(session, actor)
        raise WebhookNotFoundError(webhook_id)
    return role


async def lock_webhook(session: AsyncSession, actor: Actor, webhook_id: UUID) -> Row[Webhook, Role, datetime]:
    """Return also what time is now; who adds a delivery does not wait."""
    statement = (
        select(Webhook, access.c.role, func.now())
        .join(access, access.c.workspace_id == Webhook.workspace_id)
        .where(Webhook.id == webhook_id, *STANDS)
        .with_for_update(of=Webhook, key_share=True)
    )
    row = (await session.execute(statement, actor.binds)).one_or_none()
    if row is None:
        await ensure_signed_in(session, actor)
        raise WebhookNotFoundError(webhook_id)
    return row
