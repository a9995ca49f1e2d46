from contextlib import suppress
from datetime import datetime
from secrets import token_urlsafe
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.signatures import new_secret, read_secret, show_secret
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys
from glasswork.features.workspaces.access import role_in

from . import policy
from .errors import mapping_not_taken, project_needed, unknown_project
from .events import HookCreated, HookDeleted, HookUpdated
from .models import GRACE, Hook, HookKind
from .policy import purpose_of
from .repository import HookRepository
from .schemas import (
    HookCreate,
    HookIssued,
    HookQuery,
    HookRead,
    HookStored,
    HookUpdate,
    OpenHook,
    TaskMapping,
)


class HookService:
    """Where other programs may tell what happened there."""

    def __init__(self, session: AsyncSession, keys: Keys, base_url: str) -> None:
        self._session = session
        self._keys = keys
        self._base_url = base_url
        self._hooks = HookRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID, new: HookCreate) -> HookIssued:
        require(policy.can_manage(await role_in(self._session, actor, workspace_id)))
        await self._check_project(actor, workspace_id, new.project_id)
        hook_id = uuid7()
        secret = new.secret.get_secret_value() if new.secret else _new_secret(new.kind)
        hook = Hook(
            id=hook_id,
            workspace_id=workspace_id,
            secret=self._seal(hook_id, new.kind, secret),
            created_by=actor.user_id,
            **new.model_dump(mode="json", include={"kind", "name", "mapping"}, exclude_none=True),
            project_id=new.project_id,
        )
        await self._hooks.add(hook)
        self._outbox.record(actor, HookCreated.of(hook))
        return self._issued(hook, secret)

    async def get(self, actor: Actor, hook_id: UUID) -> HookRead:
        hook = await self._hooks.get(actor, hook_id)
        require(policy.can_manage(hook.role))
        return self._shown(hook)

    async def page(self, actor: Actor, workspace_id: UUID, query: HookQuery) -> Page[HookRead]:
        require(policy.can_manage(await role_in(self._session, actor, workspace_id)))
        page = await self._hooks.page(actor, workspace_id, query)
        return Page([self._shown(hook) for hook in page.items], page.next_cursor, page.total)

    async def update(
        self, actor: Actor, hook_id: UUID, changes: HookUpdate, precondition: Precondition
    ) -> HookRead:
        hook, _ = await self._lock(actor, hook_id)
        fields = changes.sent()
        precondition.check(hook, fields)
        if "project_id" in fields:
            if changes.project_id is None and hook.kind is HookKind.JSON:
                raise project_needed()
            await self._check_project(actor, hook.workspace_id, changes.project_id)
        if "mapping" in fields:
            if hook.kind is not HookKind.JSON:
                raise mapping_not_taken()
            fields["mapping"] = changes.mapping.model_dump(mode="json", exclude_none=True)
        with self._outbox.updating(actor, HookUpdated, hook):
            hook.change(fields)
            await self._hooks.flush()
        return self._shown(hook)

    async def change_secret(self, actor: Actor, hook_id: UUID) -> HookIssued:
        """The one before is taken for a while, so that the sender can be told the new one."""
        hook, now = await self._lock(actor, hook_id)
        secret = _new_secret(hook.kind)
        with self._outbox.updating(actor, HookUpdated, hook):
            hook.change(
                {
                    "secret": self._seal(hook.id, hook.kind, secret),
                    "previous_secret": hook.secret,
                    "previous_until": now + GRACE,
                }
            )
            await self._hooks.flush()
        return self._issued(hook, secret)

    async def delete(self, actor: Actor, hook_id: UUID, precondition: Precondition) -> None:
        """Its secrets go at once, and what it has taken when it is purged."""
        hook, now = await self._lock(actor, hook_id, lets_in=False)
        precondition.check(hook)
        self._outbox.record(actor, HookDeleted.of(hook))
        hook.change({"deleted_at": now, "secret": "", "previous_secret": None})

    async def _lock(self, actor: Actor, hook_id: UUID, *, lets_in: bool = True) -> tuple[Hook, datetime]:
        hook, role, now = await self._hooks.lock(actor, hook_id, lets_in=lets_in)
        require(policy.can_manage(role))
        return hook, now

    async def _check_project(self, actor: Actor, workspace_id: UUID, project_id: UUID | None) -> None:
        if project_id is not None and not await self._hooks.has_project(actor, workspace_id, project_id):
            raise unknown_project()

    def _seal(self, hook_id: UUID, kind: HookKind, secret: str) -> str:
        key = read_secret(secret) if kind is HookKind.JSON else secret.encode()
        return seal(self._keys, purpose_of(hook_id), key).decode()

    def _shown(self, hook: Hook | AnyRow) -> HookRead:
        stored = HookStored.model_validate(hook).model_dump()
        return HookRead(**stored, url=f"{self._base_url}/hooks/{hook.id}")

    def _issued(self, hook: Hook, secret: str) -> HookIssued:
        return HookIssued(**self._shown(hook).model_dump(), secret=secret)


class HookLookup:
    """For whoever takes the messages."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._hooks = HookRepository(session)
        self._keys = keys

    async def get(self, hook_id: UUID) -> OpenHook:
        """A secret that no accepted JWT_SECRET opens signs nothing any more."""
        row = await self._hooks.get_open(hook_id)
        secrets = []
        for sealed in filter(None, (row.secret, row.previous_secret)):
            with suppress(BrokenSealError):
                secrets.append(unseal(self._keys, purpose_of(hook_id), sealed.encode()))
        return OpenHook(
            row.id,
            row.workspace_id,
            row.project_id,
            row.kind,
            None if row.mapping is None else TaskMapping.model_validate(row.mapping),
            row.created_by,
            secrets,
            row.now,
        )

    async def hold(self, hook_id: UUID) -> None:
        """Raise HookNotFoundError, or keep it until the commit."""
        await self._hooks.hold(hook_id)


def _new_secret(kind: HookKind) -> str:
    return show_secret(new_secret()) if kind is HookKind.JSON else token_urlsafe(32)
