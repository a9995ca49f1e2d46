"""Mistakes that nobody could tell from what is right, and why: none of them is made."""

from collections.abc import Mapping
from typing import Final

_FEATURES = "glasswork/features"
_TRUE = '__import__("sqlalchemy").true()'

HARMLESS: Final[Mapping[str, str]] = {
    f"{_FEATURES}/notifications/repository.py: forgotten in PreferenceRepository.workspaces_of.statement: "
    f"access.c.project_id.in_(project_ids) -> {_TRUE}": (
        "each project is looked up in what is found; that others are found too is only slow"
    ),
    f"{_FEATURES}/notifying/repository.py: forgotten in NotifyingRepository.preferences.statement: "
    f"Preference.user_id.in_(user_ids) -> {_TRUE}": (
        "each person is looked up in what is found; that others are found too is only slow"
    ),
    f"{_FEATURES}/letters/repository.py: forgotten in _WAITS: Notification.read_at.is_(None) -> {_TRUE}": (
        "what has been read is in no letter either way; who has read all is looked at in vain, once"
    ),
    f"{_FEATURES}/accounts/access.py: turned in _session_of: UserSession.rotated_at > func.now() - "
    "REFRESH_LIFETIME -> UserSession.rotated_at >= func.now() - REFRESH_LIFETIME": (
        "a session ends after seven days or a microsecond later"
    ),
}
"""By `Mutant.name`."""
