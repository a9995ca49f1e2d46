"""A small workspace to look around in."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.commands import acting_as
from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database, open_database
from glasswork.core.settings import Settings
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import Registration
from glasswork.features.accounts.service import AccountService
from glasswork.features.bulk.schemas import Bulk, BulkMode, BulkUpdate
from glasswork.features.bulk.service import BulkService
from glasswork.features.comments.models import Reaction
from glasswork.features.comments.schemas import CommentCreate
from glasswork.features.comments.service import CommentService
from glasswork.features.history.service import HistoryService
from glasswork.features.placement.service import PlacementService
from glasswork.features.projects.models import Category
from glasswork.features.projects.schemas import LabelCreate, ProjectCreate
from glasswork.features.projects.service import LabelService, ProjectService
from glasswork.features.relations.schemas import RelationCreate, Side
from glasswork.features.relations.service import RelationService
from glasswork.features.tasks.models import Priority
from glasswork.features.tasks.schemas import Recurrence, TaskCreate, TaskUpdate
from glasswork.features.tasks.service import TaskService
from glasswork.features.watchers.service import WatcherService
from glasswork.features.workflow.schemas import StatusCreate
from glasswork.features.workflow.service import StatusService
from glasswork.features.workspaces.schemas import WorkspaceCreate
from glasswork.features.workspaces.service import WorkspaceService
from glasswork.worker import SUBSCRIBERS

_TASKS = (
    # title, description, status, priority, days until due, labels
    (
        "Move the scheduler to the new cluster",
        "One node at a time.",
        "in_progress",
        Priority.HIGH,
        3,
        ("infra",),
    ),
    (
        "Rotate the TLS certificates",
        "They expire at the **end of the month**.",
        "todo",
        Priority.URGENT,
        1,
        ("infra",),
    ),
    (
        "Port scan shows 8080 open",
        "Close it, or say why it must be open.",
        "todo",
        Priority.HIGH,
        -2,
        ("bug",),
    ),
    ("Write the on-call handbook", "", "todo", Priority.LOW, None, ("docs",)),
    (
        "Backups restore in a test",
        "`pg_restore` into an empty database.",
        "done",
        Priority.MEDIUM,
        -5,
        ("infra",),
    ),
    (
        "Dashboard loads slowly",
        "More than 3 s on Mondays.",
        "in_progress",
        Priority.MEDIUM,
        7,
        ("bug", "infra"),
    ),
)
_LABELS = (("bug", "#d73a4a"), ("docs", "#0075ca"), ("infra", "#0e8a16"))


async def make_demo(settings: Settings) -> tuple[str, str, str]:
    """Make one more demo; return the workspace's slug, and a username and password for it."""
    mark = secrets.token_hex(3)
    login, slug, password = f"demo_{mark}", f"demo-{mark}", secrets.token_urlsafe(12)
    new = Registration(
        email=f"{login}@example.com", username=login, name="Demo", password=SecretStr(password)
    )
    async with open_database(settings, SUBSCRIBERS) as database:
        async with database.transaction() as session:
            await AccountService(session, PasswordRules.of(settings)).register(new)
        async with acting_as(database, settings, login, "glasswork demo") as actor:
            async with database.system_transaction() as session:  # it makes a workspace
                task_id = await _fill(session, actor, slug, login)
            await _undo_an_edit(database, actor, task_id)
    return slug, login, password


async def _fill(session: AsyncSession, actor: Actor, slug: str, login: str) -> UUID:
    """Return the id of a task."""
    workspace = await WorkspaceService(session).create(actor, WorkspaceCreate(name="Demo", slug=slug))
    project = await ProjectService(session).create(
        actor, workspace.id, ProjectCreate(name="Operations", key="OPS", description="What keeps it running.")
    )
    labels = {
        name: await LabelService(session).create(actor, project.id, LabelCreate(name=name, color=color))
        for name, color in _LABELS
    }
    now, tasks = datetime.now(UTC), []
    for title, description, status, priority, days, names in _TASKS:
        new = TaskCreate(
            title=title,
            description=description,
            status=status,
            priority=priority,
            assignee_id=actor.user_id if status == "in_progress" else None,
            due_at=None if days is None else now + timedelta(days=days),
            label_ids=[labels[name].id for name in names],
        )
        tasks.append(await TaskService(session).create(actor, project.id, new))
    await _connect(session, actor, tasks)
    await _talk(session, actor, tasks[2].id, login)
    await _review(session, actor, tasks[1:3])
    return await _recur(session, actor, project.id, now)


async def _connect(session: AsyncSession, actor: Actor, tasks: Sequence[AnyRow]) -> None:
    scheduler, certificates, ports, _, backups, *_ = tasks
    part = TaskCreate(title="Drain the first node", parent_id=scheduler.id)
    await TaskService(session).create(actor, scheduler.project_id, part)
    blocks = RelationCreate(kind=Side.BLOCKS, task_id=scheduler.id)
    await RelationService(session).create(actor, certificates.id, blocks)
    await WatcherService(session).watch(actor, scheduler.id, actor.user_id, Precondition())
    placement = PlacementService(session)
    await placement.put_behind(actor, ports.id, None, Precondition())
    await placement.archive(actor, backups.id, Precondition())


async def _talk(session: AsyncSession, actor: Actor, task_id: UUID, login: str) -> None:
    comments = CommentService(session)
    question = CommentCreate(body=f"Is it the `metrics` page, @{login}?")
    asked = await comments.create(actor, task_id, question)
    answer = CommentCreate(body="It is:\n\n- open to **all**\n- of no use to any", reply_to_id=asked.id)
    answered = await comments.create(actor, task_id, answer)
    await comments.react(actor, answered.id, Reaction.EYES, Precondition())


async def _review(session: AsyncSession, actor: Actor, tasks: Sequence[AnyRow]) -> None:
    """With a status of the project's own, and a label of the whole workspace on several tasks at once."""
    workspace_id, project_id = tasks[0].workspace_id, tasks[0].project_id
    review = StatusCreate(
        key="review", name="In review", category=Category.IN_PROGRESS, position=2, next=["done", "todo"]
    )
    await StatusService(session).create(actor, project_id, review)
    security = LabelCreate(name="security", color="#b60205")
    label = await LabelService(session).create_in_workspace(actor, workspace_id, security)
    operations = [
        BulkUpdate(op="update", task_id=task.id, label_ids=[*task.label_ids, label.id]) for task in tasks
    ]
    await BulkService(session).run(actor, workspace_id, Bulk(mode=BulkMode.ATOMIC, operations=[*operations]))


async def _recur(session: AsyncSession, actor: Actor, project_id: UUID, now: datetime) -> UUID:
    """Make a task that is done each Monday, and do it once, so that the next one is there; return its id."""
    tasks = TaskService(session)
    report = TaskCreate(
        title="Write the weekly report",
        due_at=now,
        recurrence=Recurrence(rule="FREQ=WEEKLY;BYDAY=MO", time_zone="Europe/Berlin"),
    )
    task_id: UUID = (await tasks.create(actor, project_id, report)).id
    await tasks.complete(actor, task_id, Precondition())
    return task_id


async def _undo_an_edit(database: Database, actor: Actor, task_id: UUID) -> None:
    """Each in a transaction of its own: what is undone has happened."""
    async with database.transaction(actor) as session:
        await TaskService(session).update(
            actor, task_id, TaskUpdate(title="Wirte the report"), Precondition()
        )
    async with database.transaction(actor) as session:
        await HistoryService(session).undo(actor, task_id, Precondition())
