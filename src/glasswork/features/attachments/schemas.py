from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import AttachmentId, Output, TaskId, UserId, WorkspaceId

_RESERVED = {".", ".."}


def _is_plain(name: str) -> str:
    if name in _RESERVED or name != name.strip() or not name.isprintable():
        raise ValueError("must be the name of a file: printable, without folders and without space around it")
    return name


FileName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        pattern=r"^[^/\\\x00]*$",
        description="The file's name, by which the task knows it.",
        examples=["report.pdf"],
    ),
    AfterValidator(_is_plain),
]


class AttachmentRead(Output):
    id: AttachmentId
    workspace_id: WorkspaceId
    task_id: TaskId
    name: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Hexadecimal.")
    media_type: str = Field(description="By the file's first bytes, whatever it was said to be.")
    has_thumbnail: bool
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime


class AttachmentQuery(PageQuery):
    sort: str = sort_by("name", "size", "created_at", default="created_at")


class LinkRead(Output):
    url: str = Field(description="Whoever has it gets the file, without any token, until it expires.")
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """What has come in: as it is measured, not as it was announced."""

    size: int
    sha256: str
    media_type: str
