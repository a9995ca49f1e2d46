from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.tokens import digest, new_setup_token
from glasswork.features.accounts.models import SystemRole, User
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import Registration
from glasswork.features.accounts.service import AccountService, UserLookup
from glasswork.features.credentials.errors import InvalidOneTimeTokenError

from .errors import AdminExistsError
from .repository import SetupTokenRepository
from .schemas import FirstAdminCreate


class SetupService:
    """The first admin's account is opened by whoever reads what `serve` prints."""

    def __init__(self, session: AsyncSession, rules: PasswordRules) -> None:
        self._users = UserLookup(session)
        self._tokens = SetupTokenRepository(session)
        self._accounts = AccountService(session, rules)

    async def issue(self) -> str | None:
        """Return a token, or None when there is an admin; then those that were printed end."""
        if await self._users.has_admin():
            await self._tokens.delete_all()
            return None
        token = new_setup_token()
        await self._tokens.add(digest(token))
        return token

    async def create_first_admin(self, new: FirstAdminCreate) -> User:
        await self._users.lock_admins()
        if await self._users.has_admin():
            raise AdminExistsError
        if not await self._tokens.has(digest(new.token.get_secret_value())):
            raise InvalidOneTimeTokenError
        account = Registration(email=new.email, username=new.username, name=new.name, password=new.password)
        user = await self._accounts.register(account, SystemRole.ADMIN)
        await self._tokens.delete_all()
        return user
