from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, any_, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.features.imports.models import CheckedKind, CheckedRecord, Import


class Checked(NamedTuple):
    """What is met in a source: a task, a comment of one, or a label."""

    kind: CheckedKind
    name: str
    level: int = 0


class CheckedRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, import_: Import, kind: CheckedKind, names: Collection[str]) -> list[Checked]:
        """Those with such names that were met before."""
        statement = select(CheckedRecord.kind, CheckedRecord.name, CheckedRecord.level).where(
            CheckedRecord.workspace_id == import_.workspace_id,
            CheckedRecord.import_id == import_.id,
            CheckedRecord.kind == kind,
            CheckedRecord.name == any_(literal(list(names), ARRAY(Text()))),
        )
        return [Checked(*row) for row in await self._session.execute(statement)]

    async def add(self, import_: Import, met: Iterable[Checked]) -> None:
        its = {"workspace_id": import_.workspace_id, "import_id": import_.id}
        if rows := [its | each._asdict() for each in met]:
            await self._session.execute(insert(CheckedRecord).on_conflict_do_nothing(), rows)
