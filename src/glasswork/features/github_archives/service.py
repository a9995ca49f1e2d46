from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial

from pydantic import ValidationError as SchemaError

from glasswork.core.json_items import items, values
from glasswork.features.intake.schemas import (
    MOST_NUMBER,
    Fault,
    Item,
    Open,
    Position,
    Survey,
    faults_of,
    read,
)
from glasswork.features.projects.schemas import LabelCreate

from .errors import NoArchiveError
from .policy import REPOSITORY, label_of, records_of, source_of

_KINDS = ("issues", "pulls")


class GithubArchive:
    """A source of tasks: the issues of a repository, and then its pull requests."""

    def __init__(self, open_at: Open) -> None:
        self._open = open_at

    async def survey(self) -> Survey:
        repo, parts, total, highest = None, set[str](), 0, 0
        async with aclosing(await self._open(0)) as chunks:
            async for prefix, event, value in values(chunks):
                if prefix == "repo" and event == "string":
                    repo = value
                elif prefix in _KINDS and event == "start_array":
                    parts.add(prefix)
                elif prefix in {f"{kind}.item" for kind in _KINDS} and event == "start_map":
                    total += 1
                elif prefix in {f"{kind}.item.number" for kind in _KINDS} and event == "number":
                    highest = max(highest, value if value <= MOST_NUMBER else 0)
        if repo is None or not REPOSITORY.fullmatch(repo) or len(parts) < len(_KINDS):
            raise NoArchiveError
        labels, faults = await self._labels()
        return Survey(
            source=source_of(repo),
            name=repo,
            total=total,
            description=f"Imported from https://{source_of(repo)}",
            highest=highest,
            labels=labels,
            faults=faults,
        )

    async def items(self, source: str, after: Position | None, /) -> AsyncIterator[Item]:
        seen = after["records"] if after else 0
        number = 0
        for kind in _KINDS:
            place = -1
            async with aclosing(await self._open(0)) as chunks:
                async for archived in items(chunks, f"{kind}.item"):
                    place, number = place + 1, number + 1
                    if number > seen:
                        yield read(
                            f"{kind}[{place}]", {"records": number}, partial(records_of, source, archived)
                        )

    async def _labels(self) -> tuple[list[LabelCreate], list[Fault]]:
        labels: list[LabelCreate] = []
        faults: list[Fault] = []
        async with aclosing(await self._open(0)) as chunks:
            place = 0
            async for archived in items(chunks, "labels.item"):
                try:
                    labels.append(label_of(archived))
                except SchemaError as error:
                    faults += faults_of(f"labels[{place}]", error)
                place += 1
        return labels, faults
