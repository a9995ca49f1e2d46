from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from glasswork.core.schemas import Input, Output
from glasswork.features.accounts.schemas import KnownPassword

MAX_CODE_LENGTH = 64
MAX_CHALLENGE_LENGTH = 512

Code = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=MAX_CODE_LENGTH,
        description="Of the app, or a recovery code.",
        examples=["492039"],
    ),
]


class TotpRead(Output):
    enabled: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


class TotpBegin(Input):
    password: KnownPassword


class TotpIssued(Output):
    secret: str = Field(
        description="Base32, for an app that takes no QR code.", examples=["JBSWY3DPEHPK3PXP"]
    )
    uri: str = Field(description="What the QR code holds.", examples=["otpauth://totp/..."])


class TotpConfirmation(Input):
    code: Code


class RecoveryCodes(Output):
    recovery_codes: list[str] = Field(
        description="Each is good once. Shown this once.", examples=[["7kq2m-x9d4t-b3hzn"]]
    )


class SecondFactor(Input):
    challenge: Annotated[SecretStr, Field(min_length=1, max_length=MAX_CHALLENGE_LENGTH)]
    code: Code


class Reauthentication(Input):
    password: KnownPassword
    code: Code | None = Field(default=None, description="Needed where a second factor is on.")
