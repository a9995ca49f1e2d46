from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final

from pydantic import ValidationError as SchemaError

from glasswork.core.json_items import items, values
from glasswork.features.intake.schemas import (
    MOST_NUMBER,
    CommentRecord,
    Fault,
    Item,
    Open,
    Position,
    Survey,
    TaskRecord,
    faults_of,
    read,
)
from glasswork.features.projects.schemas import LabelCreate

from .errors import BoardTooLargeError, NoBoardError
from .policy import comment_of, label_of, task_of
from .schemas import (
    COMMENTS,
    CREATIONS,
    Board,
    BoardLabel,
    BoardList,
    Checklist,
    Creation,
    CustomField,
    Directory,
    Held,
    Member,
    TrelloOptions,
)

MOST_HELD: Final = 200_000
"""Lists, members, fields and items of checklists: cards refer to them, and they are held meanwhile."""

_HELD: Final[Sequence[tuple[str, type[Held]]]] = (
    ("lists", BoardList),
    ("members", Member),
    ("customFields", CustomField),
    ("checklists", Checklist),
    ("actions", Creation),
)
_TOLD: Final = {"id", "name", "desc", "shortLink"}


class TrelloBoard:
    """A source of tasks: the cards of a board, and then their comments."""

    def __init__(self, open_at: Open, options: TrelloOptions) -> None:
        self._open = open_at
        self._options = options

    async def survey(self) -> Survey:
        told: dict[str, Any] = {}
        total = highest = 0
        async with aclosing(await self._open(0)) as chunks:
            async for prefix, event, value in values(chunks):
                if prefix in _TOLD and event == "string":
                    told[prefix] = value
                elif prefix == "cards" and event == "start_array":
                    told[prefix] = True
                elif prefix == "cards.item" and event == "start_map":
                    total += 1
                elif prefix == "cards.item.idShort" and isinstance(value, int) and value <= MOST_NUMBER:
                    highest = max(highest, value)
                elif prefix == "actions.item.type" and value in COMMENTS:
                    total += 1
        board = _board_of(told)
        labels, faults = await self._labels()
        return Survey(
            source=f"trello.com/b/{board.short_link or board.id}",
            name=board.name,
            total=total,
            description=board.desc,
            highest=highest,
            labels=labels,
            faults=faults,
        )

    async def items(self, _: str, after: Position | None, /) -> AsyncIterator[Item]:
        seen = after["records"] if after else 0
        number = 0
        directory = await self._directory()
        async for place, card in self._all("cards"):
            number += 1
            if number > seen:
                yield read(place, {"records": number}, partial(self._task, card, directory))
        async for place, action in self._all("actions"):
            if _type_of(action) in COMMENTS:
                number += 1
                if number > seen:
                    yield read(place, {"records": number}, partial(_comments, action, directory))

    def _task(self, card: Any, directory: Directory) -> tuple[TaskRecord, Sequence[CommentRecord]]:
        return task_of(card, directory, self._options.statuses), ()

    async def _labels(self) -> tuple[list[LabelCreate], list[Fault]]:
        labels: list[LabelCreate] = []
        faults: list[Fault] = []
        async for place, found in self._all("labels"):
            try:
                label = label_of(BoardLabel.model_validate(found))
            except SchemaError as error:
                faults += faults_of(place, error)
            else:
                labels += [label] if label else []
        return labels, faults

    async def _directory(self) -> Directory:
        """What is broken in it is left out; what refers to it does without."""
        directory, held = Directory(), 0
        for kind, schema in _HELD:
            async for _, found in self._all(kind):
                if kind == "actions" and _type_of(found) not in CREATIONS:
                    continue
                with suppress(SchemaError):
                    held += directory.keep(schema.model_validate(found))
                if held > MOST_HELD:
                    raise BoardTooLargeError(MOST_HELD)
        return directory

    async def _all(self, kind: str) -> AsyncIterator[tuple[str, Any]]:
        place = 0
        async with aclosing(await self._open(0)) as chunks:
            async for found in items(chunks, f"{kind}.item"):
                yield f"{kind}[{place}]", found
                place += 1


def _board_of(told: dict[str, Any]) -> Board:
    try:
        return Board.model_validate(told)
    except SchemaError as error:
        raise NoBoardError from error


def _type_of(action: Any) -> str | None:
    kind = action.get("type") if isinstance(action, dict) else None
    return kind if isinstance(kind, str) else None


def _comments(action: Any, directory: Directory) -> tuple[None, Sequence[CommentRecord]]:
    return None, [comment_of(action, directory)]
