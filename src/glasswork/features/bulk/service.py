from collections.abc import Sequence
from contextlib import nullcontext
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.errors import AppError, require
from glasswork.core.statements import AnyRow
from glasswork.features.placement.service import PlacementService
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.policy import can_write
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.access import role_in

from .repository import BulkRepository
from .schemas import (
    Bulk,
    BulkAct,
    BulkCreate,
    BulkItem,
    BulkMode,
    BulkMove,
    BulkOperation,
    BulkPosition,
    BulkRefusal,
    BulkRestore,
    BulkUpdate,
)

Done = tuple[int, AnyRow | None]
"""The status of the operation, and the task as it is then."""


class BulkService:
    """Many operations on the tasks of a workspace in one transaction, each as it is alone."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._bulk = BulkRepository(session)
        self._tasks = TaskService(session)
        self._placement = PlacementService(session)
        self._acts = {
            "complete": self._tasks.complete,
            "reopen": self._tasks.reopen,
            "archive": self._placement.archive,
            "unarchive": self._placement.unarchive,
        }

    async def run(self, actor: Actor, workspace_id: UUID, bulk: Bulk) -> list[BulkItem]:
        """In mode `atomic` raise the first refusal, which names the operation's index."""
        require(can_write(await role_in(self._session, actor, workspace_id)))
        known = await self._lock(actor, workspace_id, bulk.operations)
        items = []
        for index, operation in enumerate(bulk.operations):
            try:
                _check_inside(operation, known)
                async with nullcontext() if bulk.mode is BulkMode.ATOMIC else self._session.begin_nested():
                    status, task = await self._do(actor, operation)
            except AppError as refusal:
                _locate(refusal, index)
                if bulk.mode is BulkMode.ATOMIC:
                    raise
                error = BulkRefusal.model_validate(refusal)
                items.append(BulkItem(index=index, status=refusal.status, task=None, error=error))
            else:
                items.append(BulkItem(index=index, status=status, task=task, error=None))
        return items

    async def _lock(self, actor: Actor, workspace_id: UUID, operations: Sequence[BulkOperation]) -> set[UUID]:
        """Lock all that the operations will, in the one order; return the workspace's tasks and projects.

        Else two of them, each with its own order, would wait for each other.
        """
        task_ids = {task_id for operation in operations for task_id in _task_ids(operation)}
        project_of = await self._bulk.lock_tasks(actor, workspace_id, task_ids)
        project_ids = {
            project_of.get(operation.task_id)
            for operation in operations
            if isinstance(operation, BulkMove | BulkPosition)
            or (isinstance(operation, BulkUpdate) and operation.parent_id is not None)
        }
        project_ids |= {
            operation.project_id for operation in operations if isinstance(operation, BulkCreate | BulkMove)
        }
        standing = await self._bulk.lock_projects(workspace_id, [each for each in project_ids if each])
        return project_of.keys() | standing

    async def _do(self, actor: Actor, operation: BulkOperation) -> Done:
        match operation:
            case BulkCreate():
                return 201, await self._tasks.create(actor, operation.project_id, operation.task)
            case BulkAct(op="delete"):
                await self._tasks.delete(actor, operation.task_id, operation.precondition)
                return 204, None
            case BulkRestore():
                return 200, await self._tasks.restore(actor, operation.task_id)
            case BulkAct():
                act = self._acts[operation.op]
                return 200, await act(actor, operation.task_id, operation.precondition)
            case _:
                return 200, await self._change(actor, operation)

    async def _change(self, actor: Actor, operation: BulkUpdate | BulkMove | BulkPosition) -> AnyRow:
        match operation:
            case BulkMove(task_id=task_id, project_id=project_id):
                return await self._placement.move(actor, task_id, project_id, operation.precondition)
            case BulkPosition(task_id=task_id, after_id=after_id):
                return await self._placement.put_behind(actor, task_id, after_id, operation.precondition)
            case BulkUpdate(task_id=task_id):
                return await self._tasks.update(actor, task_id, operation.changes, operation.precondition)


def _task_ids(operation: BulkOperation) -> set[UUID]:
    own = set() if isinstance(operation, BulkCreate) else {operation.task_id}
    parent_id = operation.parent_id if isinstance(operation, BulkCreate | BulkUpdate) else None
    return own if parent_id is None else own | {parent_id}


def _check_inside(operation: BulkOperation, known: set[UUID]) -> None:
    if isinstance(operation, BulkCreate):
        if operation.project_id not in known:
            raise ProjectNotFoundError(operation.project_id)
    elif operation.task_id not in known:
        raise TaskNotFoundError(operation.task_id)


def _locate(refusal: AppError, index: int) -> None:
    """Say which of the operations it is about."""
    for error in refusal.details.get("errors", ()):
        error["loc"][1:1] = ["operations", index]
    refusal.details["index"] = index
