from datetime import date, datetime

from pydantic import Field

from glasswork.core.schemas import Output, TaskId, UserId


class BurnUpDay(Output):
    """At the end of the day."""

    day: date
    scope: int = Field(description="Tasks that there were.")
    done: int = Field(description="Those of them that were done.")
    scope_minutes: int = Field(description="Estimated for those that there were.")
    done_minutes: int = Field(description="Estimated for those that were done.")


class FlowDay(Output):
    """Tasks by the category of their status, at the end of the day."""

    day: date
    todo: int
    in_progress: int
    done: int


class Spread(Output):
    """So many of a hundred took no longer than that; null where none are counted."""

    count: int = Field(description="Of the tasks that are counted.")
    p50: float | None = Field(description="Hours.")
    p85: float | None = Field(description="Hours.")
    p95: float | None = Field(description="Hours.")


class FinishedTask(Output):
    task_id: TaskId
    key: str = Field(examples=["OPS-42"])
    finished_at: datetime
    cycle_hours: float | None = Field(
        description="Since it was first in progress; null if it never was on its way to done."
    )
    lead_hours: float = Field(description="Since it was made.")


class CycleTime(Output):
    """Of the tasks that were finished in the period, and are done now."""

    cycle: Spread = Field(description="Of those that were in progress.")
    lead: Spread = Field(description="Of all of them.")
    tasks: list[FinishedTask] = Field(description="The 1000 that were finished last, first to last.")


class ThroughputWeek(Output):
    week: date = Field(
        description="Its Monday; of the first and the last week only days of the period count."
    )
    finished: int
    minutes: int = Field(description="Estimated for them.")


class Workload(Output):
    """Open tasks of somebody, as they are when the report is made; archived ones are left out."""

    user_id: UserId | None = Field(description="Null: of nobody.")
    name: str | None
    todo: int
    in_progress: int
    estimate_minutes: int
    without_estimate: int


class Numbers(Output):
    as_of: datetime = Field(description="When the tasks were read; nothing later is counted.")
    burn_up: list[BurnUpDay] = Field(description="Days that have not begun by then are left out.")
    cumulative_flow: list[FlowDay] = Field(description="Likewise.")
    cycle_time: CycleTime
    throughput: list[ThroughputWeek]
    workload: list[Workload] = Field(description="Most tasks first.")
