"""Tells what an import would do, and does nothing of it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.features.imports.models import CheckedKind, Import
from glasswork.features.intake.policy import Batch, Family, adopt, first_of_each, place, told
from glasswork.features.intake.schemas import CommentRecord, Item, Stored
from glasswork.features.intake.service import IntakeService
from glasswork.features.projects.models import DEFAULT_STATUSES, Status
from glasswork.features.projects.schemas import LabelCreate
from glasswork.features.projects.service import LabelService
from glasswork.features.tasks.models import Task

from .repository import Checked, CheckedRepository


class CheckService:
    """Counts a batch as storing it would. What was met before is in the database: turns end in between."""

    def __init__(self, session: AsyncSession, actor: Actor, import_: Import) -> None:
        self._actor = actor
        self._import = import_
        self._intake = IntakeService(session, actor, import_.source or "")
        self._labels = LabelService(session)
        self._checked = CheckedRepository(session)

    async def add_labels(self, labels: Sequence[LabelCreate]) -> int:
        """Return how many there are not."""
        return await self._count_labels(label.name for label in labels)

    async def check(self, items: Sequence[Item]) -> Stored:
        project_id = self._import.project_id
        batch = place(
            items, _first_statuses() if project_id is None else await self._intake.statuses(project_id)
        )
        family = await self._family(project_id, batch)
        new = first_of_each(batch.tasks, family)
        faults = [*batch.faults, *adopt(new, family, lambda _: Task(id=uuid7()))]
        said = told(batch, family, await self._known(batch, family))
        await self._checked.add(
            self._import,
            [
                *(Checked(CheckedKind.TASK, each.task.id, family.levels[each.task.id]) for each in new),
                *(Checked(CheckedKind.COMMENT, _name_of(record)) for _, record in said.new),
            ],
        )
        return Stored(
            tasks=len(new),
            tasks_there=len(batch.tasks) - len(new),
            comments=len(said.new),
            comments_there=said.there,
            labels=await self._count_labels(name for each in new for name in each.task.labels),
            faults=[*faults, *said.faults],
        )

    async def _family(self, project_id: UUID | None, batch: Batch) -> Family:
        """Those that are there, and those that would be by now."""
        family = Family({}) if project_id is None else await self._intake.family(project_id, batch)
        for met in await self._checked.find(self._import, CheckedKind.TASK, batch.ids()):
            family.tasks[met.name] = Task(id=uuid7())
            family.levels[met.name] = met.level
        return family

    async def _known(self, batch: Batch, family: Family) -> set[tuple[UUID, str]]:
        known = await self._intake.known_comments(batch, family)
        named = {_name_of(record): record for _, record in batch.comments}
        for met in await self._checked.find(self._import, CheckedKind.COMMENT, named):
            if (task := family.tasks.get(named[met.name].task)) is not None:
                known.add((task.id, named[met.name].id))
        return known

    async def _count_labels(self, names: Iterable[str]) -> int:
        wanted = {name.lower() for name in names}
        if not wanted:
            return 0
        if self._import.project_id is None:
            there = await self._labels.names_in_workspace(self._actor, self._import.workspace_id)
        else:
            there = {*await self._labels.ids_by_name(self._actor, self._import.project_id)}
        met = await self._checked.find(self._import, CheckedKind.LABEL, wanted)
        new = wanted - there - {each.name for each in met}
        await self._checked.add(self._import, [Checked(CheckedKind.LABEL, name) for name in new])
        return len(new)


def _first_statuses() -> list[Status]:
    """Of a project that is not made yet."""
    return [Status(key=key, name=name, category=category) for key, name, category, _ in DEFAULT_STATUSES]


def _name_of(comment: CommentRecord) -> str:
    """Two ids as one, which no other two give."""
    return f"{len(comment.task)} {comment.task} {comment.id}"
