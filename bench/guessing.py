"""Whether the time of an answer tells who has an account: `uv run task bench-guessing`.

Known and unknown addresses are asked for in turn, in an order that is shuffled, so that a slow moment of the
machine falls on both. Printed are the medians, and the probability that such a difference comes by chance
(Mann-Whitney); below 1 % the exit code is 1. On a busy machine a real difference hides: run it on a calm one.
"""

import argparse
import asyncio
import math
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import httpx2
from live import API, serving

WARM_UP = 20
CHANCE = 0.01

Ask = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with serving(home) as (_, address):
            async with httpx2.AsyncClient(base_url=address + API, timeout=60) as client:
                tells = await tell(client, samples)
    sys.exit(int(tells))


async def tell(client: httpx2.AsyncClient, samples: int) -> bool:
    """Print both ways to ask, and return whether one of them tells."""
    tells = False
    for number in range(samples):
        await register(client, number)
    for name, ask in (("login", log_in), ("reset", forget)):
        known, unknown = await measure(client, ask, samples)
        chance = mann_whitney(known, unknown)
        medians = f"known {show(known)}, unknown {show(unknown)}"
        print(f"{name}: {medians}, n = {samples} each, p = {chance:.3f}")
        tells = tells or chance < CHANCE
    return tells


async def register(client: httpx2.AsyncClient, number: int) -> None:
    account = {"email": f"known{number:04}@example.com", "username": f"known{number:04}", "name": "Known"}
    password = "tremendous otter 77"  # noqa: S105 (of nobody)
    (await client.post("/auth/register", json=account | {"password": password})).raise_for_status()


async def log_in(client: httpx2.AsyncClient, email: str) -> httpx2.Response:
    answer = await client.post("/auth/token", data={"username": email, "password": "another otter 78"})
    assert answer.status_code == httpx2.codes.UNAUTHORIZED
    return answer


async def forget(client: httpx2.AsyncClient, email: str) -> httpx2.Response:
    answer = await client.post("/auth/forgot-password", json={"email": email})
    assert answer.status_code == httpx2.codes.NO_CONTENT
    return answer


async def measure(client: httpx2.AsyncClient, ask: Ask, samples: int) -> tuple[list[float], list[float]]:
    """Return the seconds for addresses that are known, and for others that are written alike."""
    times: dict[str, list[float]] = {"known": [], "other": []}
    for number in range(WARM_UP):
        await ask(client, f"other{number:04}@example.com")
    for number in range(samples):
        for kind in random.sample(sorted(times), 2):
            began = perf_counter()
            await ask(client, f"{kind}{number:04}@example.com")
            times[kind].append(perf_counter() - began)
    return times["known"], times["other"]


def mann_whitney(one: list[float], other: list[float]) -> float:
    """Return the two-sided p-value of the rank-sum test: normal, corrected for ties and continuity."""
    everything = sorted(one + other)
    counts = Counter(everything)
    ranks: dict[float, float] = {}
    before = 0
    for value in sorted(counts):
        ranks[value] = before + (counts[value] + 1) / 2
        before += counts[value]
    n, m = len(one), len(other)
    u = sum(ranks[value] for value in one) - n * (n + 1) / 2
    ties = sum(count**3 - count for count in counts.values()) / ((n + m) * (n + m - 1))
    spread = math.sqrt(n * m / 12 * (n + m + 1 - ties))
    if spread == 0:
        return 1.0
    distance = max(abs(u - n * m / 2) - 0.5, 0) / spread
    return 2 * statistics.NormalDist().cdf(-distance)


def show(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.2f} ms"


if __name__ == "__main__":
    asyncio.run(main())
