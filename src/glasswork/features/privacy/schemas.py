from pydantic import Field

from glasswork.core.schemas import Input
from glasswork.features.accounts.schemas import KnownPassword


class AccountDeletion(Input):
    password: KnownPassword | None = Field(
        None, description="The one that is valid now, where I log in with one."
    )
