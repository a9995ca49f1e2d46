from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    CommentId,
    Input,
    Output,
    TaskId,
    UserId,
    WorkspaceId,
    optional,
)

from .models import Reaction

MOST_MENTIONS = 50
MAX_LENGTH = 65_536

Body = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LENGTH,
        pattern=r"^[^\x00]*[^\x00\s][^\x00]*$",
        description="Markdown; not blank.",
        examples=["Done, see @ada's [notes](https://example.com)."],
    ),
]


class CommentCreate(Input):
    body: Body
    reply_to_id: CommentId | None = Field(
        None, description="A comment of the same task that is no reply itself."
    )


class CommentUpdate(Input):
    body: Body = optional()


class ReactionRead(Output):
    reaction: Reaction
    user_ids: list[UserId]


class ExternalComment(Output):
    """Where a comment came from."""

    source: str = Field(examples=["github.com/quicwg/ops-drafts"])
    id: str = Field(examples=["17/2019-05-02T08:31:04Z/mnot"])
    url: str
    author: str | None


class CommentStored(Output):
    """As events have it."""

    id: CommentId
    workspace_id: WorkspaceId
    task_id: TaskId
    reply_to_id: CommentId | None
    author_id: UserId
    body: str | None = Field(description="Markdown, as it was written; null of a deleted comment.")
    mentions: list[UserId] = Field(
        description=f"Members named by `@username` when the body was written, at most {MOST_MENTIONS}."
    )
    reactions: list[ReactionRead]
    external: ExternalComment | None
    version: int
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None


class CommentRead(CommentStored):
    body_html: str | None = Field(
        None, description="With `html=true`: the body as HTML that is safe to show; else null."
    )


class CommentQuery(PageQuery):
    reply_to_id: list[CommentId | Literal["null"]] = Field(
        [], max_length=50, description="Replies to one of these; `null`: what is no reply."
    )
    html: bool = Field(False, description="Show `body_html` too.")
    sort: str = sort_by("created_at", default="created_at")


class VersionQuery(PageQuery):
    sort: str = sort_by("seq", default="-seq")


class CommentVersion(Output):
    """A body that is no longer the comment's."""

    seq: int = Field(description="Of the edit that replaced it, as in the changes of the workspace.")
    version: int = Field(description="The last version of the comment that had it.")
    author_id: UserId
    body: str
    written_at: datetime
    replaced_at: datetime
