"""What GitHub's REST API (2022-11-28) tells of a repository, as far as it is read."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from glasswork.core.schemas import Input, Text, Timestamp
from glasswork.features.projects.schemas import LabelName


def _sendable(token: SecretStr) -> SecretStr:
    words = token.get_secret_value()
    if not words.isascii() or not words.isprintable() or " " in words:
        raise ValueError("must be of visible ASCII characters")
    return token


RepositoryName = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*/\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        examples=["quicwg/ops-drafts"],
    ),
]
GithubToken = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=500,
        description="Null: as anybody may see it, sixty pages of a hundred an hour. It is kept sealed until"
        " the import has ended, and never shown.",
    ),
    AfterValidator(_sendable),
]


class GithubOptions(Input):
    repository: RepositoryName
    state: Literal["all", "open", "closed"] = Field("all", description="Of the issues and pull requests.")
    token: GithubToken | None = None


class Repository(BaseModel):
    full_name: RepositoryName
    html_url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:-]+/")]


class Account(BaseModel):
    login: Text


class IssueLabel(BaseModel):
    name: LabelName


class Issue(BaseModel):
    """An issue or a pull request."""

    number: int
    title: Text
    body: Text | None = None
    state: Literal["open", "closed"]
    user: Account | None = None
    assignees: list[Account] = []
    labels: list[IssueLabel | LabelName] = []
    html_url: Text
    created_at: Timestamp
    updated_at: Timestamp
    closed_at: Timestamp | None = None


class IssueComment(BaseModel):
    issue_url: Annotated[str, Field(pattern=r"/issues/[0-9]{1,9}$")]
    html_url: Text
    body: Text | None = None
    user: Account | None = None
    created_at: Timestamp
    updated_at: Timestamp


class Place(BaseModel):
    """How far the pages are read: `index` counts the records of the page that are behind."""

    phase: Literal["labels", "issues", "comments"]
    url: str
    index: int = 0
    second: datetime | None = None
    """In which the last comment was made; those that are known by the same mark were made in one."""
    marks: dict[str, int] = {}
    """How many comments of that second have each mark."""
