from datetime import datetime
from typing import Annotated

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    Color,
    Input,
    LabelId,
    Line,
    Output,
    ProjectId,
    Text,
    UserId,
    WorkspaceId,
    optional,
)

Name = Annotated[Line, Field(max_length=100, examples=["Operations"])]
Key = Annotated[
    str,
    Field(pattern=r"^[A-Z][A-Z0-9]{1,9}$", examples=["OPS"], description="Its tasks are `OPS-1`, `OPS-2`."),
]
Description = Annotated[Text, Field(max_length=10_000, description="Markdown.")]
LabelName = Annotated[Line, Field(max_length=100, examples=["bug"])]


class ProjectCreate(Input):
    name: Name
    key: Key
    description: Description = ""


class ProjectUpdate(Input):
    name: Name = optional()
    description: Description = optional()


class ProjectRead(Output):
    id: ProjectId
    workspace_id: WorkspaceId
    key: str
    name: str
    description: str
    created_by: UserId
    version: int
    created_at: datetime
    updated_at: datetime


class ProjectQuery(PageQuery):
    sort: str = sort_by("key", "name", "created_at", default="key")


class LabelCreate(Input):
    name: LabelName
    color: Color = "#808080"
    description: Description = ""


class LabelUpdate(Input):
    name: LabelName = optional()
    color: Color = optional()
    description: Description = optional()


class LabelRead(Output):
    id: LabelId
    workspace_id: WorkspaceId
    project_id: ProjectId | None = Field(description="Null: for the tasks of every project.")
    name: str
    color: str
    description: str
    version: int
    created_at: datetime
    updated_at: datetime


class LabelQuery(PageQuery):
    sort: str = sort_by("name", "created_at", default="name")
