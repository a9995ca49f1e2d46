"""What stands in slo.yaml."""

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Severity = Literal["page", "ticket", "none"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Objective(_Section):
    name: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$")
    promise: str
    target: float = Field(gt=0, lt=1)
    board: str
    bad: str
    total: str

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.target, 9)

    @property
    def alert(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("-")) + "Burn"


class Burn(_Section):
    severity: Severity
    short: str
    long: str
    factor: float = Field(gt=0)


class Limits(_Section):
    memory_bytes: int
    memory_ratio: float
    pool_used_ratio: float
    pool_wait_seconds: float
    loop_lag_seconds: float
    loop_blocks: int
    readiness_changes: int
    queue_age_seconds: float
    heartbeat_age_seconds: float
    schedule_overdue_seconds: float
    invariants_age_seconds: float
    webhook_age_seconds: float
    stream_age_seconds: float
    series: int


class Plan(_Section):
    runbooks: str
    dashboards: str
    objectives: list[Objective]
    burns: list[Burn]
    least_bad_events: int
    limits: Limits


def read_plan(path: Path) -> Plan:
    return Plan.model_validate(yaml.safe_load(path.read_text()))


@dataclass(frozen=True)
class Tempo:
    """How much faster than in earnest the rules look; a proof cannot wait for three days.

    All that is a time between looks is divided: ranges, `for`, intervals, and ages that are compared. What is
    a property of a single request or of the process (a latency, a lag, a number) stays as it is.
    """

    divisor: int = 1

    def range(self, duration: str) -> str:
        if self.divisor == 1:
            return duration
        return f"{round(self._seconds(duration) * 1000)}ms"

    def seconds(self, seconds: float) -> str:
        return f"{seconds / self.divisor:g}"

    def count_of(self, duration: str) -> str:
        """In seconds, as a number in an expression."""
        return f"{self._seconds(duration):g}"

    def fill(self, template: str, duration: str) -> str:
        return Template(template).substitute(range=self.range(duration))

    def _seconds(self, duration: str) -> float:
        found = re.fullmatch(r"(\d+)([smhd])", duration)
        if found is None:
            raise ValueError(f"{duration} is no duration")
        return int(found[1]) * SECONDS[found[2]] / self.divisor
