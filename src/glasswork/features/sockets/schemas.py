from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, TypeAdapter, model_validator

from glasswork.core.schemas import Input


class Authenticate(Input):
    type: Literal["authenticate"]
    token: str = Field(max_length=2048)


class Subscribe(Input):
    type: Literal["subscribe"]
    workspace_id: UUID | None = None
    project_id: UUID | None = None
    task_id: UUID | None = None
    after: int | None = Field(None, ge=0, lt=10**18)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if [self.workspace_id, self.project_id, self.task_id].count(None) != 2:  # noqa: PLR2004
            raise ValueError("name one of workspace_id, project_id and task_id")
        return self

    @property
    def key(self) -> str:
        if self.task_id is not None:
            return f"task:{self.task_id}"
        return f"project:{self.project_id}" if self.project_id else f"workspace:{self.workspace_id}"


class Unsubscribe(Input):
    type: Literal["unsubscribe"]
    subscription: str = Field(max_length=64)


class Ping(Input):
    type: Literal["ping"]


Request = Subscribe | Unsubscribe | Ping

FIRST: TypeAdapter[Authenticate] = TypeAdapter(Authenticate)
LATER: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
