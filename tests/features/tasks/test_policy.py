from glasswork.features.tasks import policy
from glasswork.features.workspaces.models import Role


def test_who_may_write() -> None:
    assert [policy.can_write(role) for role in Role] == [False, True, True, True]
