import re
from collections.abc import Iterator
from itertools import count
from typing import Final
from uuid import UUID

from pydantic import SecretStr

from glasswork.core.events import Fields
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.tokens import Keys
from glasswork.features.projects.schemas import ProjectCreate
from glasswork.features.workspaces.models import Role

from .errors import TokenLostError
from .models import ImportStatus

MOST_KEY: Final = 10
"""Characters."""


def can_make(role: Role) -> bool:
    return role.reaches(Role.MEMBER)


def can_manage(role: Role, user_id: UUID, created_by: UUID) -> bool:
    return role.reaches(Role.ADMIN) or (can_make(role) and user_id == created_by)


def is_ordered(_before: Fields | None, after: Fields | None) -> bool:
    """Whether there is something to do now."""
    return after is not None and after.get("status") == ImportStatus.QUEUED


def seal_token(keys: Keys, import_id: UUID, token: SecretStr | None) -> str | None:
    if token is None:
        return None
    return seal(keys, purpose_of(import_id), token.get_secret_value().encode()).decode()


def unseal_token(keys: Keys, import_id: UUID, sealed: str) -> str:
    """Raise TokenLostError where JWT_SECRET is another one by now."""
    try:
        return unseal(keys, purpose_of(import_id), sealed.encode()).decode()
    except BrokenSealError as error:
        raise TokenLostError from error


def purpose_of(import_id: UUID) -> str:
    """Of the seal: it is the import's, so that in no other one's row it opens."""
    return f"import:{import_id}"


def keys_for(name: str | None) -> Iterator[str]:
    """Yield those that a source may have, the best first: of `quicwg/ops-drafts` OPSDRAFTS, OPSDRAFTS2."""
    letters = re.sub(r"[^A-Z0-9]", "", (name or "").rpartition("/")[2].upper()).lstrip("0123456789")
    key = letters if len(letters) > 1 else f"IMPORT{letters}"
    yield key[:MOST_KEY]
    for number in count(2):
        yield f"{key[: MOST_KEY - len(str(number))]}{number}"


def project_for(key: str, name: str | None, description: str) -> ProjectCreate:
    """What a source becomes."""
    return ProjectCreate(name=(name or key)[:100], key=key, description=description[:10_000])
