from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from starlette.responses import FileResponse, StreamingResponse
from starlette.staticfiles import StaticFiles

from glasswork.core.http.dependencies import Transaction, refuse_unknown_query
from glasswork.core.paging import Page, PageRead
from glasswork.core.telemetry.routes import PAGE
from glasswork.features.accounts.auth import CurrentActor
from glasswork.features.jobs.schemas import JobQuery, JobRead

from .schemas import HistoryQuery, Items, LevelUpdate, RequestQuery, RequestRead
from .service import FrameService, PageService

router = APIRouter(prefix=f"{PAGE}/api", include_in_schema=False)

_FILES = Path(__file__).with_name("page")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def get_operations(request: Request, session: Transaction) -> PageService:
    """A view is written down, and so takes a transaction."""
    return PageService(session, request.app.state.peers)


async def get_frames(request: Request) -> FrameService:
    frames: FrameService = request.app.state.frames
    return frames


Operations = Annotated[PageService, Depends(get_operations)]
Frames = Annotated[FrameService, Depends(get_frames)]


def install(app: FastAPI) -> None:
    """The page itself holds nothing that is not in the repository: whoever opens it must sign in."""

    async def show(_: Request) -> FileResponse:
        return FileResponse(_FILES / "index.html", headers={"Content-Security-Policy": _POLICY})

    app.add_route(PAGE, show, include_in_schema=False)
    app.mount(f"{PAGE}/assets", StaticFiles(directory=_FILES))
    app.include_router(router, dependencies=[Depends(refuse_unknown_query)])


@router.get("/stream")
async def stream_frames(actor: CurrentActor, operations: Operations, frames: Frames) -> StreamingResponse:
    """Follow the numbers, second by second."""
    return StreamingResponse(await operations.open_stream(actor, frames), media_type="text/event-stream")


@router.get("/history")
async def get_history(
    query: Annotated[HistoryQuery, Query()], actor: CurrentActor, operations: Operations
) -> Items:
    """Show the numbers of the last quarter of an hour, or of the last day."""
    return await operations.history(actor, query.span)


@router.get("/routes")
async def list_routes(actor: CurrentActor, operations: Operations) -> Items:
    """Show each route with its own numbers."""
    return await operations.routes(actor)


@router.get("/requests")
async def list_requests(
    query: Annotated[RequestQuery, Query()], actor: CurrentActor, operations: Operations
) -> Items:
    """List the last, the slowest or the failed requests, jobs and deliveries."""
    return await operations.requests(actor, query)


@router.get("/requests/{request_id}")
async def get_request(request_id: str, actor: CurrentActor, operations: Operations) -> RequestRead:
    """Show a request whole, with the jobs and the deliveries that followed from it."""
    return await operations.request(actor, request_id)


@router.get("/jobs", response_model=PageRead[JobRead])
async def list_jobs(
    query: Annotated[JobQuery, Query()], actor: CurrentActor, operations: Operations
) -> Page[Any]:
    """List the jobs that wait, run or are dead."""
    return await operations.jobs(actor, query)


@router.get("/mail")
async def list_mail(actor: CurrentActor, operations: Operations) -> Items:
    """List the mail that was kept because there is no SMTP server."""
    return await operations.mail(actor)


@router.get("/database")
async def list_sessions_of_database(actor: CurrentActor, operations: Operations) -> Items:
    """List the database's sessions, and what each one waits for."""
    return await operations.database(actor)


@router.get("/loggers")
async def list_levels(actor: CurrentActor, operations: Operations) -> Items:
    """List the loggers with their levels."""
    return await operations.levels(actor)


@router.put("/loggers/{name}", status_code=204)
async def set_level(name: str, update: LevelUpdate, actor: CurrentActor, operations: Operations) -> None:
    """Set a logger's level for ten minutes."""
    await operations.set_level(actor, name, update)
