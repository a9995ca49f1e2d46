"""`glasswork` with a fault: `python -m tests.faults.plants FAULT serve ...`. The tests must find each."""

import sys
from collections.abc import Callable, Collection
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork import cli
from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.http import dependencies
from glasswork.core.jobs import Order
from glasswork.core.statements import AnyRow
from glasswork.features.idempotency.repository import KeyRepository
from glasswork.features.tasks.schemas import TaskUpdate
from glasswork.features.tasks.service import TaskService

PENDING = "pending"
"""Where a session has what it is to store at its commit."""


def answer_before_the_commit() -> None:
    for name, get in (("Session", dependencies.get_session), ("Transaction", dependencies.get_transaction)):
        setattr(dependencies, name, Annotated[AsyncSession, Depends(get, scope="request")])


def keep_no_key() -> None:
    async def claim(*_: object) -> bool:
        return True

    async def keep(*_: object) -> None:
        pass

    KeyRepository.claim = claim  # type: ignore[method-assign, assignment]
    KeyRepository.keep = keep  # type: ignore[method-assign, assignment]


def order_jobs_after_the_commit() -> None:
    _store_after_the_commit(lambda what: isinstance(what, Order))


def store_events_after_the_commit() -> None:
    _store_after_the_commit(lambda what: not isinstance(what, Order))


def _store_after_the_commit(is_late: Callable[[object], bool]) -> None:
    commit = Database._commit  # noqa: SLF001 (what the fault is in)

    async def commit_twice(self: Database, session: AsyncSession) -> None:
        pending = session.info.pop(PENDING, [])
        late = [row for row in pending if is_late(row.what)]
        session.info[PENDING] = [row for row in pending if not is_late(row.what)]
        await commit(self, session)
        if late:
            async with self._writes(info=dict(session.info)) as later:
                later.info[PENDING] = late
                await commit(self, later)

    setattr(Database, commit.__name__, commit_twice)


def compare_versions_before_the_lock() -> None:
    update = TaskService.update

    async def update_unseen(
        self: TaskService, actor: Actor, task_id: UUID, changes: TaskUpdate, precondition: Precondition
    ) -> AnyRow:
        precondition.check(await self.get(actor, task_id), changes.sent())
        return await update(self, actor, task_id, changes, Precondition())

    TaskService.update = update_unseen  # type: ignore[method-assign]


PLANTS: Collection[Callable[[], None]] = (
    answer_before_the_commit,
    keep_no_key,
    order_jobs_after_the_commit,
    store_events_after_the_commit,
    compare_versions_before_the_lock,
)

if __name__ == "__main__":
    wanted = sys.argv.pop(1)
    next(plant for plant in PLANTS if plant.__name__ == wanted)()
    cli.main()
