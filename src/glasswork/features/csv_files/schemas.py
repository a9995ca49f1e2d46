from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from glasswork.core.schemas import Input, TimeZone

ColumnName = Annotated[str, Field(min_length=1, max_length=200, examples=["Summary"])]


class ValuesColumn(Input):
    column: ColumnName
    values: dict[str, str] = Field(
        max_length=100,
        description="What a cell stands for; one that is not here is taken as it is.",
        examples=[{"P1": "urgent", "P2": "high"}],
    )


class ListColumn(Input):
    column: ColumnName
    separator: str = Field(",", min_length=1, max_length=5)


class CsvMapping(Input):
    """In which column a field stands; those that are null have none."""

    title: ColumnName
    id: ColumnName | None = Field(
        None,
        description="What a row is known by: a later file may have more rows. Null: its place in the file.",
    )
    number: ColumnName | None = Field(None, description="`42`, or `OPS-42` of whatever project.")
    description: ColumnName | None = None
    status: ColumnName | ValuesColumn | None = Field(
        None, description="Key or name of a status. Null: to do, or done where `completed_at` says so."
    )
    priority: ColumnName | ValuesColumn | None = None
    assignee: ColumnName | None = Field(
        None, description="Username or address. Who is no member is kept as a name."
    )
    labels: ColumnName | ListColumn | None = Field(None, description="Names, separated by commas.")
    due_at: ColumnName | None = None
    start_at: ColumnName | None = None
    estimate_minutes: ColumnName | None = None
    parent: ColumnName | None = Field(None, description="The `id` of a row above, or of an earlier import.")
    url: ColumnName | None = None
    author: ColumnName | None = None
    created_at: ColumnName | None = None
    updated_at: ColumnName | None = None
    completed_at: ColumnName | None = None


class DateOrder(StrEnum):
    """Of dates that are not as ISO 8601 has them."""

    DMY = "dmy"
    MDY = "mdy"


class CsvOptions(Input):
    mapping: CsvMapping | None = Field(
        None, description="Null: the columns that are named like the fields, as in an export."
    )
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        None, description="Null: the one that is in the first line most often."
    )
    encoding: Literal["utf-8", "windows-1252"] = "utf-8"
    date_order: DateOrder = DateOrder.DMY
    time_zone: TimeZone = Field("UTC", description="Of dates and times that name none.")
