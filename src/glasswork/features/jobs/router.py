from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.paging import Page, PageRead
from glasswork.features.accounts.auth import AUTHORIZED, acting

from .errors import JobNotDeadError, JobNotFoundError
from .schemas import JobId, JobQuery, JobRead
from .service import JobService

router = APIRouter(prefix="/jobs", tags=["operations"])

Reader = Annotated[Actor, acting(Scope.ADMIN_READ)]
Writer = Annotated[Actor, acting(Scope.ADMIN_WRITE)]

FOR_ADMINS = (*AUTHORIZED, PermissionDeniedError)


async def get_jobs(session: Session) -> JobService:
    return JobService(session)


Jobs = Annotated[JobService, Depends(get_jobs)]


@router.get("", response_model=PageRead[JobRead], responses=declare(*FOR_ADMINS))
async def list_jobs(query: Annotated[JobQuery, Query()], actor: Reader, jobs: Jobs) -> Page[Any]:
    """List the jobs that wait, run or are dead. For admins of the installation."""
    return await jobs.page(actor, query)


@router.get("/{job_id}", response_model=JobRead, responses=declare(*FOR_ADMINS, JobNotFoundError))
async def get_job(job_id: Annotated[JobId, Path()], actor: Reader, jobs: Jobs) -> Any:
    """Show a job. For admins of the installation."""
    return await jobs.get(actor, job_id)


@router.post(
    "/{job_id}/retry",
    response_model=JobRead,
    responses=declare(*FOR_ADMINS, JobNotFoundError, JobNotDeadError),
)
async def retry_job(job_id: Annotated[JobId, Path()], actor: Writer, jobs: Jobs) -> Any:
    """Put a dead job back into the queue. For admins of the installation."""
    return await jobs.retry(actor, job_id)
