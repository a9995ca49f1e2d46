from collections.abc import Callable
from itertools import pairwise, product

import pytest

from glasswork.features.invitations import policy
from glasswork.features.workspaces.models import Role

VIEWER, MEMBER, ADMIN, OWNER = Role


def test_who_may_see_them() -> None:
    assert {role for role in Role if policy.can_see_invitations(role)} == {ADMIN, OWNER}


def test_who_may_invite_to_which_role() -> None:
    allowed = {(role, invited) for role, invited in product(Role, Role) if policy.can_invite(role, invited)}
    assert allowed == {*product([ADMIN], [VIEWER, MEMBER, ADMIN]), *product([OWNER], Role)}


@pytest.mark.parametrize(("policy_of", "others"), [(policy.can_see_invitations, 0), (policy.can_invite, 1)])
def test_a_higher_role_never_loses_a_right(policy_of: Callable[..., bool], others: int) -> None:
    for (lower, higher), roles in product(pairwise(Role), product(Role, repeat=others)):
        assert policy_of(lower, *roles) <= policy_of(higher, *roles)
