from collections.abc import Callable
from itertools import pairwise

import pytest

from glasswork.features.workspaces import policy
from glasswork.features.workspaces.models import Role

VIEWER, MEMBER, ADMIN, OWNER = Role


@pytest.mark.parametrize(
    ("policy_of", "allowed"), [(policy.can_edit, {ADMIN, OWNER}), (policy.can_delete, {OWNER})]
)
def test_who_may(policy_of: Callable[[Role], bool], allowed: set[Role]) -> None:
    assert {role for role in Role if policy_of(role)} == allowed


@pytest.mark.parametrize("policy_of", [policy.can_edit, policy.can_delete])
def test_a_higher_role_never_loses_a_right(policy_of: Callable[[Role], bool]) -> None:
    for lower, higher in pairwise(Role):
        assert policy_of(lower) <= policy_of(higher)


def test_a_role_reaches_itself_and_the_lower_ones() -> None:
    reached = {role: {other for other in Role if role.reaches(other)} for role in Role}
    assert reached == {
        VIEWER: {VIEWER},
        MEMBER: {VIEWER, MEMBER},
        ADMIN: {VIEWER, MEMBER, ADMIN},
        OWNER: {VIEWER, MEMBER, ADMIN, OWNER},
    }
