from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import require_admin

from .errors import JobNotDeadError
from .repository import JobRepository
from .schemas import JobQuery, JobState


class JobService:
    """What admins of the installation see of jobs, and do about the dead ones."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._jobs = JobRepository(session)

    async def page(self, actor: Actor, query: JobQuery) -> Page[AnyRow]:
        await require_admin(self._session, actor)
        return await self._jobs.page(query)

    async def get(self, actor: Actor, job_id: int) -> AnyRow:
        await require_admin(self._session, actor)
        return await self._jobs.get(job_id)

    async def retry(self, actor: Actor, job_id: int) -> AnyRow:
        await require_admin(self._session, actor)
        return await self.put_back(job_id)

    async def all(self) -> Sequence[AnyRow]:
        """For the operator's command line, which needs no account."""
        return await self._jobs.all()

    async def put_back(self, job_id: int) -> AnyRow:
        """Order a dead job again; its attempts are counted anew."""
        job = await self._jobs.get(job_id)
        if job.state != JobState.DEAD:
            raise JobNotDeadError(job_id)
        await self._jobs.requeue(job_id)
        return await self._jobs.get(job_id)
