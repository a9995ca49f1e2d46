"""What each role is answered."""

from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers


def by_role(*, viewer: int, member: int, admin: int, owner: int, outsider: int = 404) -> pytest.MarkDecorator:
    """Run a test for each `role` with the `status` that is due; the role of an outsider is None."""
    table = {None: outsider, Role.VIEWER: viewer, Role.MEMBER: member, Role.ADMIN: admin, Role.OWNER: owner}
    cases = [pytest.param(role, status, id=role or "outsider") for role, status in table.items()]
    return pytest.mark.parametrize(("role", "status"), cases)


async def with_role(callers: Callers, workspace: dict[str, Any], role: Role | None) -> Caller:
    return await callers.member(workspace["id"], role) if role else await callers.outsider()
