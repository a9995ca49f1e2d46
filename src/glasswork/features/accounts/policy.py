from dataclasses import dataclass
from typing import Self

from glasswork.core import passwords
from glasswork.core.settings import Settings

from .errors import UnfitPasswordError
from .models import SystemRole


@dataclass(frozen=True, slots=True)
class PasswordRules:
    min_length: int
    is_complex: bool = False
    """Whether it must have a small and a capital letter, a digit and a sign."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.password_min_length, settings.password_rules == "complex")  # noqa: S105 (no password)


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
