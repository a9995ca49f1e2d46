from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from glasswork.core.schemas import Input, TimeZone
from glasswork.features.intake.schemas import Position


class TodoistOptions(Input):
    statuses: dict[str, str] = Field(
        {},
        max_length=100,
        description="Keys of statuses, by the names of sections. A section that is not here is the status"
        " that has its name, and where there is none a label of its tasks.",
        examples=[{"Doing": "in_progress"}],
    )
    time_zone: TimeZone = Field("UTC", description="Of dates and times whose row names none.")


@dataclass(frozen=True, slots=True)
class Place:
    """Behind a row of a file: all that the rows below it must know."""

    file: int
    byte: int
    row: int
    section: str = ""
    above: tuple[str, ...] = ()
    """The ids of the last task and of those that it is a part of, outermost first."""

    @classmethod
    def at(cls, position: Position) -> "Place":
        return cls(**{**position, "above": tuple(position["above"])})

    @property
    def position(self) -> dict[str, Any]:
        kept = {"section": self.section, "above": list(self.above)}
        return {"file": self.file, "byte": self.byte, "row": self.row, **kept}

    def below(self, task_id: str, indent: int) -> "Place":
        """`indent` is from 1 on; what is indented too far is a part of the last task."""
        level = min(indent, len(self.above) + 1)
        return replace(self, above=(*self.above[: level - 1], task_id))
