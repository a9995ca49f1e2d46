from datetime import datetime
from typing import Annotated

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Input, Line, Output, UserId, WorkspaceId, optional

from .models import Role

Name = Annotated[Line, Field(max_length=100, examples=["Operations"])]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$", examples=["operations"])]


class WorkspaceCreate(Input):
    name: Name
    slug: Slug


class WorkspaceUpdate(Input):
    name: Name = optional()
    slug: Slug = optional()


class WorkspaceRead(Output):
    id: WorkspaceId
    name: str
    slug: str
    created_by: UserId
    version: int
    created_at: datetime
    updated_at: datetime


class WorkspaceQuery(PageQuery):
    sort: str = sort_by("name", "slug", "created_at", default="name")


class MemberRead(Output):
    workspace_id: WorkspaceId
    user_id: UserId
    username: str
    name: str
    email: str
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime
