from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from glasswork.core.schemas import Input, Output


class RequestQuery(BaseModel):
    list: Literal["recent", "slow", "failed"] = "recent"
    request_id: Annotated[str, Field(max_length=64)] | None = None
    route: Annotated[str, Field(max_length=200)] | None = None
    status: (
        Annotated[str, Field(pattern=r"^([1-5](xx|\d\d)|ok|retry|dead|returned|delivered|unknown)$")] | None
    ) = None
    user_id: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class HistoryQuery(BaseModel):
    span: Literal["15m", "24h"] = "15m"


class LevelUpdate(Input):
    level: Literal["debug", "info", "warning", "error"]


class LevelSet(LevelUpdate):
    logger: str


class View(BaseModel):
    """What somebody has looked at on the operations page."""

    view: str
    request_id: str | None = None


class Items(Output):
    items: list[Any]
    silent: list[str] = Field([], description="Processes that did not answer.")


class RequestRead(Output):
    request_id: str
    entries: list[Any]
    silent: list[str] = Field([], description="Processes that did not answer.")
