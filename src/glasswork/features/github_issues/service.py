from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from pydantic import ValidationError as SchemaError

from glasswork.core.outgoing import Answer, Outgoing, OutgoingCallError, Reason
from glasswork.features.github_archives.policy import label_of
from glasswork.features.intake.errors import PostponedError
from glasswork.features.intake.schemas import (
    MOST_NUMBER,
    CommentRecord,
    Fault,
    Item,
    Position,
    Survey,
    TaskRecord,
    faults_of,
    read,
)
from glasswork.features.projects.schemas import LabelCreate

from .errors import GithubRefusedError, OddAnswerError
from .policy import comment_of, next_of, seconds_to_wait, source_of, task_of
from .schemas import GithubOptions, Place, Repository

MOST_BYTES: Final = 32 << 20
"""Of a page: a hundred texts, of which each may have 64 KB, and what is told of their authors."""
MOST_LABELS: Final = 1_000
"""That are asked for, with their colours; all that stand on issues come with these."""

_OK: Final = 200
_SERVER_FAULT: Final = 500
_PAGE: Final = "per_page=100"
_OLDEST_FIRST: Final = f"sort=created&direction=asc&{_PAGE}"


class GithubIssues:
    """A source of tasks: the issues and pull requests of a repository, and then their comments."""

    def __init__(self, outgoing: Outgoing, base_url: str, token: str | None, options: GithubOptions) -> None:
        self._outgoing = outgoing
        self._base_url = base_url
        self._url = f"{base_url}/repos/{options.repository}"
        self._state = options.state
        self._headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    async def survey(self) -> Survey:
        repository = _repository_of(await self._get(self._url))
        newest = await self._get(f"{self._url}/issues?state=all&sort=created&direction=desc&per_page=1")
        labels, faults = await self._labels()
        source = source_of(repository)
        return Survey(
            source=source,
            name=repository.full_name,
            total=None,
            description=f"Imported from https://{source}",
            highest=max([0, *map(_number_of, _list_of(newest))]),
            labels=labels,
            faults=faults,
        )

    async def items(self, _: str, after: Position | None, /) -> AsyncIterator[Item]:
        issues = f"{self._url}/issues?state={self._state}&{_OLDEST_FIRST}"
        place = Place.model_validate(after) if after else Place(phase="issues", url=issues)
        if place.phase == "issues":
            async for told in self._records(place):
                yield read(f"#{_number_of(told)}", _position_of(place), partial(_task, told))
            place = Place(phase="comments", url=f"{self._url}/issues/comments?{_OLDEST_FIRST}")
        async for told in self._records(place):
            item = read(f"comment {_id_of(told)}", {}, partial(self._comment, told, place))
            yield replace(item, next=_position_of(place))

    def _comment(self, told: Any, place: Place) -> tuple[None, Sequence[CommentRecord]]:
        return None, [comment_of(told, place, may_be_alone=self._state != "all")]

    async def _records(self, place: Place) -> AsyncIterator[Any]:
        """Yield what is behind a place, which moves on with it."""
        url: str | None = place.url
        while url is not None:
            answer = await self._get(url)
            place.url = url
            for told in _list_of(answer)[place.index :]:
                place.index += 1
                yield told
            place.index = 0
            url = next_of(answer, url, self._base_url)

    async def _labels(self) -> tuple[list[LabelCreate], list[Fault]]:
        labels: list[LabelCreate] = []
        faults: list[Fault] = []
        place = Place(phase="labels", url=f"{self._url}/labels?{_PAGE}")
        async for told in self._records(place):
            try:
                labels.append(label_of(told))
            except SchemaError as error:
                faults += faults_of(f"labels[{len(labels) + len(faults)}]", error)
            if len(labels) == MOST_LABELS:
                break
        return labels, faults

    async def _get(self, url: str) -> Answer:
        """Raise PostponedError and other ServiceUnavailableErrors where it may help to ask again."""
        answer = await self._outgoing.get(url, self._headers, MOST_BYTES)
        seconds = seconds_to_wait(answer, datetime.now(UTC))
        if seconds is not None:
            raise PostponedError(seconds)
        if answer.status >= _SERVER_FAULT:
            raise OutgoingCallError(Reason.CONNECTION)
        if answer.status != _OK:
            raise GithubRefusedError(answer.status)
        if not answer.is_whole:
            raise OddAnswerError(f"a page has more than {MOST_BYTES:,} bytes")
        return answer


def _repository_of(answer: Answer) -> Repository:
    try:
        return Repository.model_validate(answer.json())
    except SchemaError as error:
        raise OddAnswerError("it does not tell of the repository") from error


def _list_of(answer: Answer) -> list[Any]:
    told = answer.json()
    if not isinstance(told, list):
        raise OddAnswerError("a page is no list")
    return told


def _task(told: Any) -> tuple[TaskRecord, Sequence[CommentRecord]]:
    return task_of(told), ()


def _position_of(place: Place) -> Position:
    return place.model_dump(mode="json")


def _number_of(told: Any) -> int:
    """0: it tells none."""
    return _whole(told, "number", MOST_NUMBER)


def _id_of(told: Any) -> int:
    return _whole(told, "id", 10**18)


def _whole(told: Any, name: str, most: int) -> int:
    number = told.get(name) if isinstance(told, dict) else None
    return number if isinstance(number, int) and 0 < number <= most else 0
