from collections.abc import Callable

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.projects import policy
from glasswork.features.workspaces.models import Role


@pytest.mark.parametrize(
    ("policy_of", "lowest"),
    [
        (policy.can_create, Role.MEMBER),
        (lambda role: policy.can_label(role, uuid7()), Role.MEMBER),
        (lambda role: policy.can_label(role, None), Role.ADMIN),
        (policy.can_edit, Role.ADMIN),
        (policy.can_delete, Role.ADMIN),
    ],
)
def test_who_may(policy_of: Callable[[Role], bool], lowest: Role) -> None:
    assert [policy_of(role) for role in Role] == [role.reaches(lowest) for role in Role]
