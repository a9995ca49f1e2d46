from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import AnnouncementId, Input, Output, UserId, WorkspaceId

from .models import AnnouncementStatus

_NO_LINE = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
"""What ends a line, to some reader of a header or other."""

Subject = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=200,
        pattern=rf"^[^{_NO_LINE}]*[^\s{_NO_LINE}][^{_NO_LINE}]*$",
    ),
    Field(description="One line.", examples=["We move on Sunday"]),
]
Words = Annotated[
    str,
    Field(
        min_length=1,
        max_length=10_000,
        pattern=r"^[^\x00]*[^\x00\s][^\x00]*$",
        description="Plain text, not blank.",
        examples=["From 8 to 9 UTC nothing can be changed."],
    ),
]


class AnnouncementCreate(Input):
    subject: Subject
    body: Words


class AnnouncementQuery(PageQuery):
    sort: str = sort_by("created_at", default="-created_at")


class AnnouncementRead(Output):
    """Everybody who reads it sees how far it came: the numbers name nobody."""

    id: AnnouncementId
    workspace_id: WorkspaceId | None = Field(description="Null: to all users of the installation.")
    subject: str
    body: str
    status: AnnouncementStatus
    total: int = Field(description="Recipients, counted when the sending begins.")
    sent: int = Field(description="Letters that the mail server accepted, or that were kept.")
    failed: int = Field(description="Letters that it refused.")
    unsure: int = Field(description="Letters that it may have; they are not sent again.")
    skipped: int = Field(
        description="Recipients who had left before their letter's turn; counted at the end."
    )
    created_by: UserId
    version: int = Field(description="Also of the numbers.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
