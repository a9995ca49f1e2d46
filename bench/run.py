"""What everything costs, beside what it could cost at best: `uv run task bench`.

Rounds follow each other, and in each all is started afresh: so a slow moment of the machine falls on all.
Within one, the servers take turns, journey by journey. docs/performance.md is written from the medians;
compare numbers of one run with each other, since on another machine they mean nothing.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import servers
from collector import collecting
from drain import drain_by_hand, drain_by_worker
from journeys import JOURNEYS, Journey
from machine import describe
from measure import Processes, children, load, megabytes
from recorded import Recording
from recording import record
from report import write_page
from results import APP, CEILING, MORE_ROUTES, NO_SIGNALS, Results, Sample, WorkSample
from servers import Server
from stand import Stand, standing
from work import Work

BENCH = Path(__file__).parent
SIZES = (10_000, 100_000, 1_000_000)
COMPARED = ("get", "list")
"""On every size, and without signals, and with more routes."""
BACKGROUND = ("drain", "import")
NAMES = (*(journey.name for journey in JOURNEYS), *BACKGROUND)
EXIT_UNAVAILABLE = 69


@dataclass(frozen=True)
class Options:
    sizes: Sequence[int]
    rounds: int
    seconds: int
    journeys: Sequence[str]
    rows: int

    @property
    def main_size(self) -> int:
        """The one in the middle."""
        return sorted(self.sizes)[len(self.sizes) // 2]

    @property
    def is_whole(self) -> bool:
        """Whether it measures all that docs/performance.md tells of."""
        return set(self.journeys) == set(NAMES)

    @property
    def http(self) -> list[Journey]:
        return [journey for journey in JOURNEYS if journey.name in self.journeys]


async def main() -> None:
    options = parse()
    if not shutil.which("wrk"):
        print("wrk is missing: `apt-get install wrk`, or see https://github.com/wg/wrk.", file=sys.stderr)
        raise SystemExit(EXIT_UNAVAILABLE)
    results = Results(describe(vars(options)), options.main_size)
    for number in range(1, options.rounds + 1):
        print(f"Round {number} of {options.rounds}")
        for size in options.sizes:
            async with standing(size) as stand:
                await measure(results, stand, options, number)
            if size == options.main_size:
                results.start_seconds.append(start(stand))
        if "import" in options.journeys:
            import_(results, options.rows, number)
    if options.is_whole:
        results.save()
        write_page(results)


async def measure(results: Results, stand: Stand, options: Options, number: int) -> None:
    is_main = stand.size == options.main_size
    async with stand.copied() as url:
        recording = await record(url, stand.place)
        if is_main:
            results.trips = recording.trips
        with collecting() as collector, ExitStack() as stack:
            path = JOURNEYS[0].requests(stand.place, "")[0].path
            started = {
                APP: stack.enter_context(servers.app(url, collector, path)),
                CEILING: stack.enter_context(servers.ceiling(url, recording, path)),
            }
            if is_main and set(COMPARED) & set(options.journeys):
                for name, more in ((NO_SIGNALS, servers.NO_SIGNALS), (MORE_ROUTES, servers.MORE_ROUTES)):
                    started[name] = stack.enter_context(servers.app(url, collector, path, more))
            for journey in options.http:
                if is_main or journey.name in COMPARED:
                    take_turns(results, stand, started, journey, recording, options.seconds, number)
            if is_main:
                results.megabytes.append(megabytes(started[APP].pid))
        if is_main and "drain" in options.journeys:
            with collecting() as collector:
                await drain(results, url, stand, collector, number)


def take_turns(
    results: Results,
    stand: Stand,
    started: dict[str, Server],
    journey: Journey,
    recording: Recording,
    seconds: int,
    number: int,
) -> None:
    requests = journey.requests(stand.place, recording.fingerprint)
    for name, server in started.items():
        if name in {NO_SIGNALS, MORE_ROUTES} and journey.name not in COMPARED:
            continue
        others = [pid for pid in children(os.getpid()) if pid != server.pid]
        processes = Processes(server.pid, stand.postmaster, others)
        cost = load(server.url, journey, requests, servers.new_token(), processes, seconds)
        results.samples.append(Sample(journey.name, name, stand.size, number, cost))
        print(
            f"{stand.size:>9,} {journey.name:<9} {name:<15} {cost.app_us:>7.0f} µs app"
            f" {cost.database_us:>6.0f} µs database {cost.per_second:>6.0f} /s"
            f" p50 {cost.p50_ms:.1f} ms p99 {cost.p99_ms:.1f} ms, others {cost.foreign:.0%}"
        )
        assert not cost.failed, f"{cost.failed} of {cost.requests} requests failed"


def start(stand: Stand) -> float:
    """Return the seconds to the first answer; the database is started for it, too."""
    path = JOURNEYS[0].requests(stand.place, "")[0].path
    with servers.app_on_its_own(stand.home, path) as server:
        return server.start_seconds


async def drain(results: Results, url: str, stand: Stand, collector: str, number: int) -> None:
    note(results, "drain", APP, number, await drain_by_worker(url, stand.postmaster, collector))
    note(results, "drain", CEILING, number, await drain_by_hand(url, stand.postmaster))


def import_(results: Results, rows: int, number: int) -> None:
    """In a process of its own, as half of it is measured there."""
    command = [sys.executable, str(BENCH / "imports.py"), "--rows", str(rows), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    for name, work in zip((APP, CEILING), msgspec.json.decode(done.stdout, type=list[Work]), strict=True):
        note(results, "import", name, number, work)


def note(results: Results, name: str, server: str, number: int, work: Work) -> None:
    results.work.append(WorkSample(name, server, number, work))
    print(
        f"{name:<19} {server:<15} {work.app_us:>7.0f} µs app {work.database_us:>6.0f} µs database"
        f" {work.per_second:>6.0f} /s"
    )


def parse() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="tasks in the database")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument(
        "--journeys", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=str(NAMES)
    )
    parser.add_argument("--rows", type=int, default=10_000, help="of the table that is imported")
    return Options(**vars(parser.parse_args()))


if __name__ == "__main__":
    asyncio.run(main())
