import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from glasswork.core.settings import Settings
from glasswork.features.accounts.errors import RegistrationClosedError

from .errors import AgeUnknownError

_LONGEST: Final = 20
_SHORTEST: Final = 3
_ATTEMPTS: Final = 5
_UNFIT = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether whoever comes with an unknown identity gets an account."""

    is_open: bool
    min_age: int | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.registration == "open", settings.registration_min_age)

    def refuse_stranger(self) -> None:
        """Raise RegistrationClosedError, or AgeUnknownError: no provider tells a date of birth."""
        if not self.is_open:
            raise RegistrationClosedError
        if self.min_age is not None:
            raise AgeUnknownError(self.min_age)


def usernames_for(email: str) -> Iterator[str]:
    """Give names to try, the nicest first."""
    name = _UNFIT.sub("_", email.partition("@")[0]).strip("_")
    name = name if len(name) >= _SHORTEST else f"user_{name}".strip("_")
    yield name[:_LONGEST]
    for _ in range(_ATTEMPTS):
        yield f"{name[: _LONGEST - 7]}_{secrets.token_hex(3)}"
