from collections.abc import Callable
from itertools import pairwise, product

import pytest
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.features.members import policy
from glasswork.features.workspaces.models import Role

VIEWER, MEMBER, ADMIN, OWNER = Role

ACTOR = Actor(uuid7(), uuid7())


def can_remove_another(role: Role, member_role: Role) -> bool:
    return policy.can_remove(ACTOR, role, uuid7(), member_role)


def test_who_may_remove_whom() -> None:
    allowed = {(role, other) for role, other in product(Role, Role) if can_remove_another(role, other)}
    assert allowed == {*product([ADMIN], [VIEWER, MEMBER, ADMIN]), *product([OWNER], Role)}


def test_who_may_change_which_role_to_which() -> None:
    allowed = {case for case in product(Role, Role, Role) if policy.can_change_role(*case)}
    lower = [VIEWER, MEMBER, ADMIN]
    assert allowed == {*product([ADMIN], lower, lower), *product([OWNER], Role, Role)}


@pytest.mark.parametrize("role", Role)
def test_everybody_may_leave(role: Role) -> None:
    assert policy.can_remove(ACTOR, role, ACTOR.user_id, role)


@pytest.mark.parametrize(("policy_of", "others"), [(can_remove_another, 1), (policy.can_change_role, 2)])
def test_a_higher_role_never_loses_a_right(policy_of: Callable[..., bool], others: int) -> None:
    for (lower, higher), roles in product(pairwise(Role), product(Role, repeat=others)):
        assert policy_of(lower, *roles) <= policy_of(higher, *roles)
