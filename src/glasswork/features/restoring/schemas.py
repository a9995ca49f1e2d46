from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestoreReport:
    slug: str
    is_new: bool
    """Else this very archive was there, and nothing has changed."""
    rows: Mapping[str, int]
    files: int
    users_matched: int = 0
    users_created: int = 0
    renamed: tuple[str, ...] = ()
    """The usernames that new users have because somebody here had theirs."""
