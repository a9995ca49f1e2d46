import pytest

from glasswork.core.db import Database
from glasswork.core.tokens import Keys
from glasswork.features.accounts.errors import UserNotFoundError
from glasswork.features.accounts.models import SystemRole
from glasswork.features.accounts.repository import UserRepository
from glasswork.features.accounts.service import SessionService
from tests.conftest import SECRET
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


class TestActAs:
    async def test_nobody_can_act_as_a_stranger(self, database: Database) -> None:
        async with database.transaction() as session:
            service = SessionService(session, Keys.derive(SECRET))
            with pytest.raises(UserNotFoundError, match=r"There is no user nobody@example\.com\."):
                await service.act_as("nobody@example.com", "glasswork import")

    async def test_nobody_can_act_as_a_user_who_was_shut_off(
        self, database: Database, callers: Callers
    ) -> None:
        user, admin = await callers.user(), await callers.user(SystemRole.ADMIN)
        await admin.patch(f"/users/{user.id}", {"is_active": False})
        async with database.transaction() as session:
            service = SessionService(session, Keys.derive(SECRET))
            with pytest.raises(UserNotFoundError):
                await service.act_as(user.email, "glasswork import")

    async def test_lasts_until_log_out(self, database: Database, callers: Callers) -> None:
        user = await callers.user()
        async with database.transaction() as session:
            service, users = SessionService(session, Keys.derive(SECRET)), UserRepository(session)
            actor = await service.act_as(user.username, "glasswork import")
            assert (await users.me(actor)).id == user.id
            await service.log_out(actor)
            with pytest.raises(Exception, match="This session has ended"):
                await users.me(actor)
