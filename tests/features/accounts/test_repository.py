import pytest

from glasswork.core.db import Database
from glasswork.core.errors import ConflictError
from glasswork.features.accounts.models import User
from glasswork.features.accounts.repository import UserRepository
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


async def test_a_clash_that_nobody_expected_is_told_as_one(callers: Callers, database: Database) -> None:
    user = await callers.user()
    double = User(id=user.id, email="a@example.com", username="a", name="A", password_hash="")
    with pytest.raises(ConflictError) as refusal:
        async with database.transaction() as session:
            await UserRepository(session).add(double)
    assert refusal.value.code == "CONFLICT"
