from collections.abc import Callable

import pytest

from glasswork.features.projects import policy
from glasswork.features.workspaces.models import Role


@pytest.mark.parametrize(
    ("policy_of", "lowest"),
    [
        (policy.can_create, Role.MEMBER),
        (policy.can_label, Role.MEMBER),
        (policy.can_edit, Role.ADMIN),
        (policy.can_delete, Role.ADMIN),
    ],
)
def test_who_may(policy_of: Callable[[Role], bool], lowest: Role) -> None:
    assert [policy_of(role) for role in Role] == [role.reaches(lowest) for role in Role]
