from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import access_to
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.projects.models import MAX_STATUSES, Category, Status
from glasswork.features.projects.policy import can_edit

from .errors import (
    LastStatusError,
    StatusKeyTakenError,
    StatusNotFoundError,
    TooManyStatusesError,
    missing_target,
    position_out_of_range,
    unknown_next,
    unknown_target,
)
from .events import StatusCreated, StatusDeleted, StatusUpdated
from .repository import StatusRepository
from .schemas import StatusCreate, StatusQuery, StatusUpdate


@dataclass(frozen=True, slots=True)
class Removal:
    """Of a status among all of its project; its tasks go to the target."""

    status: AnyRow
    target: AnyRow | None
    statuses: Sequence[AnyRow]


class StatusService:
    """The statuses that the tasks of a project go through, and in which order they may.

    Deleting one is the task slice's work, since its tasks go to another one.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._statuses = StatusRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, project_id: UUID, new: StatusCreate) -> AnyRow:
        project = await access_to(self._session, actor, project_id)
        require(can_edit(project.role))
        before = await self._statuses.lock_all(project.workspace_id, project_id)
        if not before:
            raise ProjectNotFoundError(project_id)
        if any(status.key == new.key for status in before):
            raise StatusKeyTakenError
        if len(before) >= MAX_STATUSES:
            raise TooManyStatusesError(MAX_STATUSES)
        next_ids = _ids_of(new.next, before)
        place = _place(new.position, len(before))
        status = Status(
            workspace_id=project.workspace_id,
            project_id=project_id,
            position=place,
            **new.model_dump(exclude={"position", "next"}),
        )
        await self._statuses.add(status)
        if next_ids is not None:
            await self._statuses.set_next(status, next_ids)
        order = [each.id for each in before]
        order.insert(place, status.id)
        made = (await self._arrange(actor, before, order, set()))[status.id]
        self._outbox.record(actor, StatusCreated.of(made))
        return made

    async def get(self, actor: Actor, status_id: UUID) -> AnyRow:
        return await self._statuses.get(actor, status_id)

    async def page(self, actor: Actor, project_id: UUID, query: StatusQuery) -> Page[AnyRow]:
        page = await self._statuses.page(actor, project_id, query)
        if not page.items:
            await access_to(self._session, actor, project_id)
        return page

    async def update(
        self, actor: Actor, status_id: UUID, changes: StatusUpdate, precondition: Precondition
    ) -> AnyRow:
        status, statuses = await self._lock(await self.get_to_edit(actor, status_id))
        fields = changes.sent()
        precondition.check(status, fields)
        fields = {name: value for name, value in fields.items() if value != getattr(status, name)}
        changed = {status_id} if fields else set()
        order = [each.id for each in statuses]
        if "position" in fields:
            place = _place(fields.pop("position"), len(order) - 1)
            order.remove(status_id)
            order.insert(place, status_id)
        if "next" in fields:
            others = [each for each in statuses if each.id != status_id]
            await self._statuses.set_next(status, _ids_of(fields.pop("next"), others))
        if fields:
            await self._statuses.change(status_id, fields)
        return (await self._arrange(actor, statuses, order, changed))[status_id]

    async def get_to_edit(self, actor: Actor, status_id: UUID) -> AnyRow:
        status = await self._statuses.get(actor, status_id)
        require(can_edit(status.role))
        return status

    async def prepare_deletion(
        self, seen: AnyRow, move_to: str | None, precondition: Precondition, *, has_tasks: bool
    ) -> Removal:
        """Lock the project's statuses, behind the tasks, and find out where these are to go."""
        status, statuses = await self._lock(seen)
        precondition.check(status)
        others = [each for each in statuses if each.id != status.id]
        if status.category is not Category.IN_PROGRESS and not any(
            each.category is status.category for each in others
        ):
            raise LastStatusError(status.category)
        keys = [each.key for each in others]
        if move_to is None:
            if has_tasks:
                raise missing_target(keys)
            return Removal(status, None, statuses)
        if move_to not in keys:
            raise unknown_target(keys)
        return Removal(status, others[keys.index(move_to)], statuses)

    async def finish_deletion(self, actor: Actor, removal: Removal) -> None:
        """Close the gap that it leaves, in the order and in what may follow other statuses."""
        gone = removal.status
        others = [each for each in removal.statuses if each.id != gone.id]
        await self._statuses.remove(gone)
        self._outbox.record(actor, StatusDeleted.of(gone))
        led_to_it = {each.id for each in others if each.next is not None and gone.key in each.next}
        await self._arrange(actor, others, [each.id for each in others], led_to_it)

    async def following(self, status: AnyRow, statuses: Sequence[AnyRow]) -> Sequence[AnyRow]:
        """Those of the project's statuses that a task may take after this one, in order."""
        others = [each for each in statuses if each.id != status.id]
        if not status.is_restricted:
            return others
        next_ids = await self._statuses.next_ids(status)
        return [each for each in others if each.id in next_ids]

    async def _lock(self, seen: AnyRow) -> tuple[AnyRow, Sequence[AnyRow]]:
        """Return the status as it is now, and all of its project."""
        statuses = await self._statuses.lock_all(seen.workspace_id, seen.project_id)
        for status in statuses:
            if status.id == seen.id:
                return status, statuses
        raise StatusNotFoundError(seen.id)

    async def _arrange(
        self, actor: Actor, before: Sequence[AnyRow], order: Sequence[UUID], changed: Collection[UUID]
    ) -> dict[UUID, AnyRow]:
        """Return the statuses as they are now, by id; there is an event of each that has changed."""
        shifted = {each.id for each in before if each.position != order.index(each.id)}
        if both := shifted.union(changed):
            await self._statuses.arrange(order, both)
        after = {status.id: status for status in await self._statuses.all(before[0].project_id)}
        for was in before:
            self._outbox.record(actor, StatusUpdated.between(StatusUpdated.show(was), after[was.id]))
        return after


def _place(wanted: int | None, last: int) -> int:
    if wanted is not None and wanted > last:
        raise position_out_of_range(last)
    return last if wanted is None else wanted


def _ids_of(keys: Sequence[str] | None, others: Sequence[AnyRow]) -> list[UUID] | None:
    ids = {each.key: each.id for each in others}
    if not ids.keys() >= set(keys or ()):
        raise unknown_next(list(ids))
    return None if keys is None else [ids[key] for key in keys]
