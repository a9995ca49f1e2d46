import csv
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from glasswork.core.schemas import Output, ProjectId, Reference, WorkspaceId
from glasswork.features.comments.schemas import CommentStored
from glasswork.features.tasks.schemas import TaskRead


class ExportFormat(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


MEDIA_TYPES: Final = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.JSONL: "application/jsonl",
}


class ExportQuery(BaseModel):
    format: ExportFormat = ExportFormat.CSV
    archived: Literal["false", "true", "all"] = Field(
        "all", description="Whether they are in it too, or alone."
    )


class ExportStored(Output):
    """As events have it: who took what, and not what was in it."""

    id: Annotated[UUID, Reference("export")]
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    format: ExportFormat


@dataclass(frozen=True, slots=True)
class Export:
    """A file that is written while it is read."""

    name: str
    media_type: str
    parts: AsyncIterator[bytes]


class TaskLine(TaskRead):
    """A task as the API shows it, and in words what it says by ids."""

    project_key: str
    labels: list[str]
    assignee: str | None = Field(description="The username, while they are a member.")
    creator: str | None = Field(description="Likewise.")


class TaskRecord(TaskLine):
    type: Literal["task"] = "task"


class CommentRecord(CommentStored):
    type: Literal["comment"] = "comment"


class EndRecord(Output):
    """The last line: without it the export is not whole."""

    type: Literal["end"] = "end"
    tasks: int
    comments: int


HEADER: Final = list(TaskLine.model_fields)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Write them as RFC 4180 has it."""
    lines = StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def cells(line: TaskLine) -> list[Any]:
    return [_cell(value) for value in line.model_dump(mode="json").values()]


def json_lines(records: Iterable[BaseModel]) -> bytes:
    """In ASCII: there are readers who would end a line at other characters than the line feed."""
    return b"".join(record.model_dump_json(ensure_ascii=True).encode() + b"\n" for record in records)


def _cell(value: Any) -> Any:
    match value:
        case str():
            return _guarded(value)
        case list():
            return _guarded(", ".join(value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _guarded(text: str) -> str:
    """Keep spreadsheets from calculating it. An apostrophe gets one more, so that one can be taken off."""
    return f"'{text}" if text.startswith(_FORMULA) else text
