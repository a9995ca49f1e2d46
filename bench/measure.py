"""One measurement: a load of requests, and what they cost in CPU, time and memory."""

import json
import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import msgspec
from cores import LOAD, on_core
from journeys import Journey, Request

WARM_UP_SECONDS = 1
SETTLE_SECONDS, LOOK_SECONDS = 3, 0.1
TICK = os.sysconf("SC_CLK_TCK")
LUA = """
local paths, bodies = {{ {paths} }}, {{ {bodies} }}
wrk.method = "{method}"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Content-Type"] = "{content_type}"
local ready = {{}}
function init()
    math.randomseed({seed})
    if #bodies == 0 then
        for i = 1, #paths do ready[i] = wrk.format(nil, paths[i]) end
    end
end
function request()
    if #bodies == 0 then return ready[math.random(#ready)] end
    return wrk.format(nil, paths[math.random(#paths)], nil, bodies[math.random(#bodies)])
end
function done(summary, latency)
    local errors = summary.errors
    local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    print(string.format('RESULT {{"requests": %d, "failed": %d, "p50": %f, "p99": %f}}', summary.requests,
        failed, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


class Cost(msgspec.Struct):
    """Of one journey on one server."""

    requests: int
    failed: int
    per_second: float
    app_us: float
    """CPU per request, in microseconds."""
    database_us: float
    p50_ms: float
    p99_ms: float
    busy: float
    """Of the app's core, 0 to 1."""
    foreign: float
    """Share of all cores that others took meanwhile."""


@dataclass(frozen=True)
class Processes:
    app: int
    postmaster: int
    others: Sequence[int]
    """Of ours, too, such as a collector."""

    def database(self) -> list[int]:
        return [self.postmaster, *children(self.postmaster)]


def load(
    url: str,
    journey: Journey,
    requests: Sequence[Request],
    token: str,
    processes: Processes,
    seconds: int,
) -> Cost:
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        script = Path(folder, "load.lua")
        script.write_text(_lua(journey, requests, token))
        _wrk(url, script, journey.connections, WARM_UP_SECONDS)
        _settle(processes.app)
        began, before = monotonic(), _Clock.read(processes)
        told = _wrk(url, script, journey.connections, seconds)
        after, took = _Clock.read(processes), monotonic() - began
    spent = after.since(before)
    count = told["requests"]
    assert count, f"nothing was answered within {seconds} s: the machine is too busy to measure anything"
    return Cost(
        requests=int(count),
        failed=int(told["failed"]),
        per_second=count / took,
        app_us=spent.app / count * 1e6,
        database_us=spent.database / count * 1e6,
        p50_ms=told["p50"],
        p99_ms=told["p99"],
        busy=spent.app / took,
        foreign=max(0.0, spent.machine - spent.app - spent.database - spent.ours) / took / _cores(),
    )


@dataclass(frozen=True)
class _Clock:
    """Seconds of CPU so far."""

    app: float
    database: float
    ours: float
    machine: float

    @classmethod
    def read(cls, processes: Processes) -> "_Clock":
        children_of_ours = resource.getrusage(resource.RUSAGE_CHILDREN)
        mine = resource.getrusage(resource.RUSAGE_SELF)
        usages = (children_of_ours, mine)
        ours = sum(usage.ru_utime + usage.ru_stime for usage in usages) + cpu_seconds(processes.others)
        return cls(cpu_seconds([processes.app]), cpu_seconds(processes.database()), ours, _machine_seconds())

    def since(self, before: "_Clock") -> "_Clock":
        return _Clock(
            self.app - before.app,
            self.database - before.database,
            self.ours - before.ours,
            self.machine - before.machine,
        )


def cpu_seconds(pids: Iterable[int]) -> float:
    """Of all threads of these processes that still run, as the scheduler counts them."""
    nanoseconds = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                nanoseconds += int(task.read_text().split()[0])
            except (OSError, IndexError):  # it has ended meanwhile
                continue
    return nanoseconds / 1e9


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def megabytes(pid: int) -> float:
    """Resident memory, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _settle(pid: int) -> None:
    """Wait for the end of what the warm-up has asked for and did not wait for."""
    deadline = monotonic() + SETTLE_SECONDS
    while monotonic() < deadline:
        before = cpu_seconds([pid])
        sleep(LOOK_SECONDS)
        if cpu_seconds([pid]) - before < LOOK_SECONDS / 10:
            return


def _cores() -> int:
    return os.cpu_count() or 1


def _machine_seconds() -> float:
    """Of all processes, without idling and waiting."""
    user, nice, system, _, _, *interrupts = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:8]
    )
    return (user + nice + system + sum(interrupts)) / TICK


def _wrk(url: str, script: Path, connections: int, seconds: int) -> dict[str, float]:
    options = f"-t1 -c{connections} -d{seconds}s --timeout 10s -s".split()
    command = ["wrk", *options, str(script), url]
    with on_core(LOAD):
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = re.search(r"RESULT (.*)", out)
    assert told, out
    result: dict[str, float] = json.loads(told[1])
    return result


def _lua(journey: Journey, requests: Sequence[Request], token: str) -> str:
    return LUA.format(
        paths=", ".join(json.dumps(request.path) for request in requests),
        bodies=", ".join(json.dumps(request.body) for request in requests if request.body),
        method=requests[0].method,
        token=token,
        content_type=journey.content_type,
        seed=len(requests),
    )
