from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from glasswork.core import passwords
from glasswork.core.errors import ValidationError
from glasswork.core.guessing import Guess, Limit
from glasswork.core.settings import Settings

from .errors import (
    EmailTakenError,
    InvalidCredentialsError,
    TooYoungError,
    UnfitPasswordError,
    UsernameTakenError,
)
from .models import SystemRole

_MAX_AGE: Final = 130

LOGIN: Final = Guess(
    "login", account=Limit(20), address=Limit(50), pair=Limit(5), wrong=(InvalidCredentialsError,)
)


def registrations(settings: Settings) -> Guess:
    """Also those that are refused, which tell who has an account."""
    in_an_hour = settings.rate_limit_registrations
    between = 3600 / in_an_hour
    limit = Limit(in_an_hour, pause=between, longest=between)
    return Guess("register", address=limit, wrong=(EmailTakenError, UsernameTakenError), is_spent=True)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    min_length: int
    is_complex: bool = False
    """Whether it must have a small and a capital letter, a digit and a sign."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.password_min_length, settings.password_rules == "complex")  # noqa: S105 (no password)


def refuse_young(born: date | None, min_age: int | None, today: date) -> None:
    """Raise TooYoungError, or ValidationError when the date is needed and is none of somebody alive."""
    if min_age is None:
        return
    if born is None:
        raise ValidationError.at(["body", "date_of_birth"], "is needed here", "missing")
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if not 0 <= age <= _MAX_AGE:
        raise ValidationError.at(["body", "date_of_birth"], "is nobody's who is alive", "impossible_birth")
    if age < min_age:
        raise TooYoungError(min_age)


def can_administer(role: SystemRole) -> bool:
    return role is SystemRole.ADMIN


def refuse_unfit(password: str, rules: PasswordRules, field: str, *own_words: str) -> None:
    """Raise UnfitPasswordError at the field of the body."""
    if len(password) < rules.min_length:
        raise UnfitPasswordError(field, f"must have at least {rules.min_length} characters")
    if rules.is_complex and not passwords.is_mixed(password):
        raise UnfitPasswordError(field, "must have a small and a capital letter, a digit and a sign")
    if passwords.is_common(password, *own_words):
        raise UnfitPasswordError(field, "is too easy to guess")
