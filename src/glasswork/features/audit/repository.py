from collections.abc import Iterator
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import InstallationEvent, WorkspaceEvent
from glasswork.core.filtering import any_of, between
from glasswork.core.paging import AnySelect, Page, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import ApiToken, User

from .schemas import AuditQuery


def _told(event: type[WorkspaceEvent] | type[InstallationEvent]) -> AnySelect:
    return (
        select(
            event.id,
            event.at,
            event.type,
            event.subject_id,
            event.actor_id,
            User.name.label("actor_name"),
            event.session_id,
            event.api_token_id,
            ApiToken.name.label("api_token_name"),
            event.request_id,
            event.before,
            event.after,
        )
        .outerjoin(User, User.id == event.actor_id)
        .outerjoin(ApiToken, ApiToken.id == event.api_token_id)
    )


_OF_WORKSPACE = _told(WorkspaceEvent).add_columns(WorkspaceEvent.seq)
_OF_INSTALLATION = _told(InstallationEvent)
_WORKSPACE_SORT_KEYS = {"at": SortKey.of(WorkspaceEvent.at, AwareDatetime)}
_INSTALLATION_SORT_KEYS = {"at": SortKey.of(InstallationEvent.at, AwareDatetime)}


class AuditRepository:
    """It asks nothing of the actor's rights: who calls it has."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page_of_workspace(self, actor: Actor, workspace_id: UUID, query: AuditQuery) -> Page[AnyRow]:
        statement = _OF_WORKSPACE.where(
            WorkspaceEvent.workspace_id == workspace_id, *_filters(WorkspaceEvent, actor, query)
        )
        return await fetch_page(self._session, statement, query, _WORKSPACE_SORT_KEYS, WorkspaceEvent.seq, {})

    async def page_of_installation(self, actor: Actor, query: AuditQuery) -> Page[AnyRow]:
        statement = _OF_INSTALLATION.where(*_filters(InstallationEvent, actor, query))
        return await fetch_page(
            self._session, statement, query, _INSTALLATION_SORT_KEYS, InstallationEvent.id, {}
        )


def _filters(
    event: type[WorkspaceEvent] | type[InstallationEvent], actor: Actor, query: AuditQuery
) -> Iterator[ColumnElement[bool]]:
    yield from any_of(event.actor_id, query.actor_id, me=actor.user_id)
    yield from any_of(event.type, query.type)
    yield from any_of(event.subject_id, query.subject_id)
    yield from between(event.at, query.at_after, query.at_before)
