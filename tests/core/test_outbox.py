from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.errors import ConflictError
from glasswork.core.events import Event, InstallationEvent
from glasswork.core.outbox import Outbox

pytestmark = pytest.mark.anyio


class Happened(Event):
    type = "test.happened"


def record(session: AsyncSession) -> UUID:
    event = Happened(workspace_id=None, subject_id=uuid7(), after={"said": "so"})
    Outbox(session).record(None, event)
    return event.subject_id


async def stored(database: Database) -> set[UUID]:
    async with database.reading() as session:
        happened = select(InstallationEvent.subject_id).where(InstallationEvent.type == Happened.type)
        return set((await session.scalars(happened)).all())


async def test_rollback_leaves_no_event(database: Database) -> None:
    async def refuse() -> None:
        async with database.transaction() as session:
            record(session)
            raise ConflictError("no")

    with pytest.raises(ConflictError):
        await refuse()
    assert await stored(database) == set()


async def test_commit_stores_it(database: Database) -> None:
    async with database.transaction() as session:
        happened = record(session)
    assert await stored(database) == {happened}


async def test_savepoint_takes_its_own_events_back(database: Database) -> None:
    async with database.transaction() as session:
        before = record(session)
        kept = await session.begin_nested()
        inside = record(session)
        gone = await session.begin_nested()
        record(session)
        released = await session.begin_nested()
        record(session)
        await released.commit()
        await gone.rollback()
        await kept.commit()
        after = record(session)
    assert await stored(database) == {before, inside, after}
