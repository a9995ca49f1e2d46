"""Of what programs link for somebody: a hook asks for their rights before, and the service asks too."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

import pytest

from glasswork.core.db import Database
from glasswork.core.errors import PermissionDeniedError
from glasswork.features.links.models import LinkKind
from glasswork.features.links.schemas import Found
from glasswork.features.links.service import LinkService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.features.workspaces.roles import with_role

from .test_links import URL, urls

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("role", "answer", "linked"),
    [(Role.VIEWER, pytest.raises(PermissionDeniedError), []), (Role.MEMBER, nullcontext(), [URL])],
)
async def test_who_may_only_look_links_nothing(
    callers: Callers,
    owner: Caller,
    workspace: dict[str, Any],
    task: dict[str, Any],
    database: Database,
    role: Role,
    answer: AbstractContextManager[object],
    linked: list[str],
) -> None:
    caller = await with_role(callers, workspace, role)
    found = [Found(UUID(task["id"]), URL, LinkKind.WEB, None)]
    with answer:
        async with database.transaction(caller.actor) as session:
            await LinkService(session).add_all(caller.actor, UUID(workspace["id"]), found)
    assert await urls(owner, task) == linked
