from datetime import timedelta
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import digest, new_api_token
from glasswork.features.accounts.access import require_recent_login
from glasswork.features.accounts.models import ApiToken
from glasswork.features.workspaces.access import role_in

from . import policy
from .errors import ScopeBeyondWorkspaceError
from .events import ApiTokenCreated, ApiTokenDeleted
from .repository import ApiTokenRepository
from .schemas import ApiTokenCreate, ApiTokenIssued, ApiTokenQuery, ApiTokenRead


class ApiTokenService:
    """What its owner lets scripts do."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._tokens = ApiTokenRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, new: ApiTokenCreate) -> ApiTokenIssued:
        await require_recent_login(self._session, actor)
        if new.workspace_id is not None:
            if not policy.can_be_kept_to_workspace(new.scopes):
                raise ScopeBeyondWorkspaceError
            await role_in(self._session, actor, new.workspace_id)
        token_id = uuid7()
        secret = new_api_token(actor.user_id, token_id)
        token = ApiToken(
            id=token_id,
            user_id=actor.user_id,
            name=new.name,
            token_hash=digest(secret),
            scopes=sorted(new.scopes),
            workspace_id=new.workspace_id,
            expires_at=func.now() + timedelta(days=new.expires_in_days),
        )
        await self._tokens.add(token)
        self._outbox.record(actor, ApiTokenCreated.of(token))
        shown = ApiTokenRead.model_validate(token)
        return ApiTokenIssued(**shown.model_dump(), token=secret)

    async def get(self, actor: Actor, token_id: UUID) -> AnyRow:
        return await self._tokens.get(actor, token_id)

    async def find_with_owner(self, token_id: UUID) -> AnyRow | None:
        """For whoever tells the owner: the token with `owner_name` and `owner_email`."""
        return await self._tokens.find_with_owner(token_id)

    async def page(self, actor: Actor, query: ApiTokenQuery) -> Page[AnyRow]:
        return await self._tokens.page(actor, query)

    async def revoke(self, actor: Actor, token_id: UUID) -> None:
        token = await self._tokens.lock(actor, token_id)
        self._outbox.record(actor, ApiTokenDeleted.of(token))
        token.change({"revoked_at": func.now()})
