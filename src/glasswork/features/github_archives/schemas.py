"""The archive that `ietf-tools`' repository archiver writes of a GitHub repository."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from glasswork.core.schemas import Text, Timestamp
from glasswork.features.projects.schemas import Description, LabelName


class _Record(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class ArchivedLabel(_Record):
    name: LabelName
    color: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{6}$")]
    description: Description | None = None


class ArchivedComment(_Record):
    author: Text | None = None
    body: Text
    created_at: Timestamp
    updated_at: Timestamp


class ArchivedIssue(_Record):
    """An issue or a pull request."""

    number: int
    title: Text
    body: Text | None = None
    state: Annotated[str, Field(pattern="^(OPEN|CLOSED|MERGED)$")]
    author: Text | None = None
    assignees: list[Text] = []
    labels: list[LabelName] = []
    url: Text | None = None
    created_at: Timestamp
    updated_at: Timestamp
    closed_at: Timestamp | None = None
    comments: list[ArchivedComment] = []
