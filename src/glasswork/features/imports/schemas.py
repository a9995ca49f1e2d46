"""The archive that `ietf-tools`' repository archiver writes of a GitHub repository."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from glasswork.core.schemas import Text, Timestamp
from glasswork.features.projects.schemas import LabelName
from glasswork.features.tasks.schemas import Title


class _Record(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class ArchivedLabel(_Record):
    name: LabelName
    color: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{6}$")]
    description: Annotated[Text, Field(max_length=10_000)] | None = None


class ArchivedComment(_Record):
    author: Text | None = None
    body: Annotated[Text, Field(max_length=65_536)]
    created_at: Timestamp
    updated_at: Timestamp


class ArchivedIssue(_Record):
    """An issue or a pull request."""

    number: Annotated[int, Field(ge=1, le=999_999_999)]
    title: Title
    body: Annotated[Text, Field(max_length=65_536)] | None = None
    state: Annotated[str, Field(pattern="^(OPEN|CLOSED|MERGED)$")]
    author: Text | None = None
    assignees: list[Text] = []
    labels: list[LabelName] = []
    url: Text | None = None
    created_at: Timestamp
    updated_at: Timestamp
    closed_at: Timestamp | None = None
    comments: list[ArchivedComment] = []


class GithubArchive(_Record):
    repo: Annotated[Text, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    labels: list[ArchivedLabel]
    issues: list[ArchivedIssue]
    pulls: list[ArchivedIssue]


@dataclass(frozen=True, slots=True)
class ImportReport:
    project_key: str
    imported: int
    already_there: int
    labels: int
    comments: int
