"""How fast each read is at 10,000 and at 1,000,000 tasks: `uv run task speed` tells docs/performance.md.

The app answers in this process, so times are those of a request without the network; told is the fastest of
some, which other work delays least.
"""

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import httpx2
from recorded import API
from recording import asking
from report import PAGE, replace_part, row, table
from seed import RARE
from stand import Place, standing

from glasswork.features.search.schemas import SORT_KEYS

ROUNDS = 15
SIZES = (10_000, 1_000_000)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args().sizes
    columns = [await measure(size) for size in sizes]
    lines = list(shown(sizes, columns))
    print("\n".join(lines))
    PAGE.write_text(replace_part(PAGE.read_text(), "reads", lines))


def shown(sizes: list[int], columns: list[dict[str, float]]) -> Iterator[str]:
    yield from table("Request | " + " | ".join(f"{size:,} tasks" for size in sizes))
    for name in columns[0]:
        yield row(name, *(f"{column[name]:.1f} ms" for column in columns))


async def measure(size: int) -> dict[str, float]:
    async with standing(size) as stand, asking(stand.url()) as asked:
        return {name: await fastest(asked.client, *request) for name, request in reads(stand.place).items()}


Request = tuple[str | Sequence[str], Mapping[str, Any]]
"""Of paths each is asked for once: what is kept after that would be quicker."""


def reads(place: Place) -> dict[str, Request]:
    project = f"/projects/{place.projects[0]}"
    workspace = f"/workspaces/{place.workspace_id}"
    sorts = [sort for key in SORT_KEYS for sort in (key, f"-{key}")]
    lists = {"a project": f"{project}/tasks", "a workspace": f"{workspace}/tasks"}
    return {
        "a task": (f"/tasks/{place.targets[0].task_id}", {}),
        **{
            f"50 tasks of {place}, sort={sort}": (path, {"sort": sort})
            for place, path in lists.items()
            for sort in sorts
        },
        "of a workspace, assignee_id=me": (lists["a workspace"], {"assignee_id": "me"}),
        "of a workspace, status=todo": (lists["a workspace"], {"status": "todo"}),
        "of a workspace, label:“label 3”": (lists["a workspace"], {"filter": 'label:"label 3"'}),
        "of a workspace, due=today": (lists["a workspace"], {"due": "today"}),
        "the board of a project": (f"{project}/board", {}),
        "the summary of a project": ([f"/projects/{each}/summary" for each in place.projects], {}),
        "the summary of a project, once it is kept": (f"{project}/summary", {}),
        "search for a rare word": (f"{workspace}/search", {"q": RARE}),
        "search for a word of every task": (f"{workspace}/search", {"q": "task"}),
    }


async def fastest(client: httpx2.AsyncClient, paths: str | Sequence[str], query: Mapping[str, Any]) -> float:
    """In milliseconds."""
    seconds = []
    for path in [paths] * ROUNDS if isinstance(paths, str) else paths:
        began = perf_counter()
        answer = await client.get(API + path, params=query)
        seconds.append(perf_counter() - began)
        answer.raise_for_status()
    return 1000 * min(seconds)


if __name__ == "__main__":
    asyncio.run(main())
