from pydantic import Field

from glasswork.core.schemas import Input
from glasswork.features.accounts.schemas import KnownPassword


class AccountDeletion(Input):
    password: KnownPassword = Field(description="The one that is valid now.")
