from datetime import datetime

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import AttachmentId, Output, TaskId, UserId, WorkspaceId


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
