from typing import Annotated

from pydantic import Field, SecretStr

from glasswork.core.schemas import Input, Output
from glasswork.features.accounts.schemas import Email, KnownPassword, Password

OneTimeSecret = Annotated[SecretStr, Field(min_length=1, max_length=256)]


class EmailVerification(Input):
    token: OneTimeSecret


class PasswordChange(Input):
    password: KnownPassword = Field(description="The one that is valid now.")
    new_password: Password


class PasswordForgotten(Input):
    email: Email


class PasswordReset(Input):
    token: OneTimeSecret
    new_password: Password


class EmailChange(Input):
    email: Email = Field(description="The new address; it becomes yours when it has been confirmed.")
    password: KnownPassword


class AddressRequested(Output):
    email: str


class Unchanged(Output):
    """What the API shows of a password: nothing."""
