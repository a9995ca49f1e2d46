from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import ArchiveId, Output, UserId, WorkspaceId
from glasswork.features.accounts.schemas import Name, Username

from .models import ArchiveStatus

MANIFEST: Final = "manifest.json"
USERS: Final = "users.jsonl"


def table_entry(table: str) -> str:
    return f"tables/{table}.jsonl"


def file_entry(attachment_id: object) -> str:
    return f"files/{attachment_id}"


def thumbnail_entry(attachment_id: object) -> str:
    return f"files/{attachment_id}.thumbnail"


class ArchiveRead(Output):
    id: ArchiveId
    workspace_id: WorkspaceId
    status: ArchiveStatus = Field(description="Its content is there when it is `completed`.")
    size: int | None = Field(description="Bytes.")
    sha256: str | None = Field(description="Of the content, hexadecimal.")
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime
    expires_at: datetime = Field(description="Then it is deleted.")


class ArchiveImport(Output):
    workspace_id: WorkspaceId
    slug: str
    sha256: str
    users_matched: int
    users_created: int


class ArchiveQuery(PageQuery):
    sort: str = sort_by("created_at", default="-created_at")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Source(_Entry):
    id: Annotated[UUID, Field(strict=False)]
    slug: str


class Manifest(_Entry):
    """What an archive says of itself; not when it was made, so that the same state makes the same bytes."""

    format: Literal["glasswork-archive"] = "glasswork-archive"
    version: Literal[1] = 1
    revision: str
    """Of the schema that its rows are of."""
    workspace: Source
    users: int
    tables: Mapping[str, int]
    """The number of rows of each."""
    files: int


class ArchivedUser(_Entry):
    """Whom the rows name: nothing that anybody could log in with."""

    id: Annotated[UUID, Field(strict=False)]
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
    """As it was stored; that of a deleted account is none that mail would reach."""
    username: Username
    name: Name
    is_active: bool
    deleted_at: Annotated[AwareDatetime | None, Field(strict=False)]
    created_at: Annotated[AwareDatetime, Field(strict=False)]
