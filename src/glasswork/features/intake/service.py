from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core import markdown
from glasswork.core.actor import Actor
from glasswork.core.errors import require
from glasswork.core.ordering import key_of
from glasswork.core.outbox import Outbox
from glasswork.core.statements import AnyRow
from glasswork.features.comments.events import CommentCreated
from glasswork.features.comments.models import Comment
from glasswork.features.comments.schemas import ExternalComment
from glasswork.features.projects.access import access_to
from glasswork.features.projects.models import Status
from glasswork.features.projects.schemas import LabelCreate
from glasswork.features.projects.service import LabelService
from glasswork.features.tasks.events import TaskCreated
from glasswork.features.tasks.models import Task
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.schemas import External

from .policy import Batch, Family, Placed, adopt, first_of_each, place, told
from .repository import IntakeRepository
from .schemas import CommentRecord, Item, Stored, TaskRecord

_AS_THEY_ARE = {"title", "description", "priority", "due_at", "start_at", "estimate_minutes"}


class IntakeService:
    """Stores what comes from a source, a batch at a time. Twice is once: the source's ids decide."""

    def __init__(self, session: AsyncSession, actor: Actor, source: str) -> None:
        self._session = session
        self._actor = actor
        self._source = source
        self._intake = IntakeRepository(session)
        self._labels = LabelService(session)
        self._outbox = Outbox(session)

    async def statuses(self, project_id: UUID) -> Sequence[Status]:
        return await self._intake.statuses(project_id)

    async def family(self, project_id: UUID, batch: Batch) -> Family:
        """Those of the batch, or named in it, that are there already."""
        return await self._family(await self._writable(project_id), batch)

    async def known_comments(self, batch: Batch, family: Family) -> set[tuple[UUID, str]]:
        """Those of the tasks of the batch's comments that are there, by their tasks and their ids."""
        ids = {family.tasks[each.task].id for _, each in batch.comments if each.task in family.tasks}
        return await self._intake.comments(ids, self._source) if ids else set()

    async def add_labels(self, project_id: UUID, labels: Sequence[LabelCreate]) -> int:
        """Make those that are not there; return how many."""
        return (await self._label_ids(project_id, labels))[1]

    async def store(self, project_id: UUID, items: Sequence[Item], highest: int) -> Stored:
        """Store what is not there yet, and tell what cannot be stored.

        A number that is taken is replaced by one above `highest`, that of the batches to come included.
        """
        project = await self._writable(project_id)
        statuses = await self._intake.statuses(project_id)
        batch = place(items, statuses)
        last_number = await self._intake.lock_numbers(project_id)
        family = await self._family(project, batch)
        new = first_of_each(batch.tasks, family)
        stored = Stored(len(new), len(batch.tasks) - len(new), faults=batch.faults)
        people = await self._people(project.workspace_id, new)
        by_key = {status.key: status for status in statuses}
        stored.faults += adopt(
            new, family, lambda each: self._task(project, each.task, by_key[each.status], people)
        )
        tasks = [family.tasks[each.task.id] for each in new]
        last_number = await self._number(project_id, new, tasks, max(last_number, highest))
        await self._intake.add_tasks(project_id, tasks, last_number)
        stored.labels = await self._label(project_id, new, tasks)
        for row in await self._intake.shown_tasks(self._actor, tasks):
            self._outbox.record(self._actor, TaskCreated.of(row))
        await self._store_comments(project, batch, family, stored)
        return stored

    async def _writable(self, project_id: UUID) -> AnyRow:
        project = await access_to(self._session, self._actor, project_id)
        require(can_write(project.role))
        return project

    async def _family(self, project: AnyRow, batch: Batch) -> Family:
        tasks = await self._intake.tasks(project, self._source, batch.ids())
        family = Family(tasks)
        for parent in batch.parents() & tasks.keys():
            ancestry = await self._intake.ancestry(tasks[parent].id)
            if ancestry[0].deleted_at is None:
                family.levels[parent] = len(ancestry)
        return family

    async def _people(self, workspace_id: UUID, new: Sequence[Placed]) -> dict[str, UUID]:
        names = {each.task.assignee for each in new if each.task.assignee}
        return await self._intake.members(workspace_id, names) if names else {}

    def _task(self, project: AnyRow, record: TaskRecord, status: Status, people: dict[str, UUID]) -> Task:
        assignee_id = people.get(record.assignee.lower()) if record.assignee else None
        strangers = [record.assignee] if record.assignee and assignee_id is None else []
        external = External(
            source=self._source,
            id=record.id,
            url=record.url,
            author=record.author,
            assignees=[*strangers, *record.assignees],
        )
        created_at = record.created_at or project.now
        updated_at = max(record.updated_at or created_at, created_at)
        task = Task(
            id=uuid7(),
            workspace_id=project.workspace_id,
            project_id=project.project_id,
            created_by=self._actor.user_id,
            assignee_id=assignee_id,
            external=external.model_dump(),
            created_at=created_at,
            updated_at=updated_at,
            **record.model_dump(include=_AS_THEY_ARE),
        )
        task.move_to(status, record.completed_at or updated_at)
        return task

    async def _number(
        self, project_id: UUID, new: Sequence[Placed], tasks: Sequence[Task], highest: int
    ) -> int:
        """Return the highest number that is used now."""
        wanted = [each.task.number for each in new if each.task.number]
        taken = await self._intake.taken_numbers(project_id, wanted) if wanted else set()
        highest = max([highest, *wanted])
        for each, task in zip(new, tasks, strict=True):
            if each.task.number is None or each.task.number in taken:
                highest += 1
                task.number = highest
            else:
                task.number = each.task.number
                taken.add(task.number)
            task.position = key_of(task.number)
        return highest

    async def _label(self, project_id: UUID, new: Sequence[Placed], tasks: Sequence[Task]) -> int:
        """Return how many labels there were not."""
        names = {name.lower(): name for each in new for name in each.task.labels}
        if not names:
            return 0
        ids, count = await self._label_ids(project_id, [LabelCreate(name=name) for name in names.values()])
        await self._intake.add_labels(
            (task, ids[name.lower()])
            for each, task in zip(new, tasks, strict=True)
            for name in each.task.labels
        )
        return count

    async def _label_ids(
        self, project_id: UUID, wanted: Sequence[LabelCreate]
    ) -> tuple[dict[str, UUID], int]:
        ids = await self._labels.ids_by_name(self._actor, project_id)
        new = {label.name.lower(): label for label in wanted if label.name.lower() not in ids}
        for name, label in new.items():
            ids[name] = (await self._labels.create(self._actor, project_id, label)).id
        return ids, len(new)

    async def _store_comments(self, project: AnyRow, batch: Batch, family: Family, stored: Stored) -> None:
        if not batch.comments:
            return
        became = told(batch, family, await self.known_comments(batch, family))
        stored.faults += became.faults
        stored.comments, stored.comments_there = len(became.new), became.there
        comments = [self._comment(project, task, record) for task, record in became.new]
        await self._intake.add_comments(comments)
        for row in await self._intake.shown_comments(self._actor, comments):
            self._outbox.record(self._actor, CommentCreated.of(row))

    def _comment(self, project: AnyRow, task: Task, record: CommentRecord) -> Comment:
        """Whom it names is somebody there, and not who has the same name here."""
        external = ExternalComment(source=self._source, id=record.id, url=record.url, author=record.author)
        created_at = record.created_at or project.now
        updated_at = max(record.updated_at or created_at, created_at)
        return Comment(
            id=uuid7(),
            workspace_id=project.workspace_id,
            task_id=task.id,
            author_id=self._actor.user_id,
            body=record.body,
            body_html=markdown.read(record.body).html,
            mentions=[],
            external=external.model_dump(),
            created_at=created_at,
            updated_at=updated_at,
            edited_at=updated_at if updated_at > created_at else None,
        )
