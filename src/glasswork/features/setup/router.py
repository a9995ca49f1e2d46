from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, created
from glasswork.features.accounts.errors import EmailTakenError, UsernameTakenError
from glasswork.features.accounts.models import User
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import UserRead
from glasswork.features.credentials.errors import InvalidOneTimeTokenError

from .errors import AdminExistsError
from .schemas import FirstAdminCreate
from .service import SetupService

router = APIRouter(prefix="/auth", tags=["auth"])

_PAGE = "/setup"
_FILES = Path(__file__).with_name("page")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def get_setup(request: Request, session: Session) -> SetupService:
    return SetupService(session, PasswordRules.of(request.app.state.settings))


def install(app: FastAPI) -> None:
    """The page holds no secret: the token is in the link's fragment, which no browser sends."""

    async def show(_: Request) -> FileResponse:
        return FileResponse(_FILES / "index.html", headers={"Content-Security-Policy": _POLICY})

    app.add_route(_PAGE, show, include_in_schema=False)
    app.mount(f"{_PAGE}/assets", StaticFiles(directory=_FILES))


@router.post(
    "/first-admin",
    status_code=201,
    response_model=UserRead,
    responses=CREATED
    | declare(InvalidOneTimeTokenError, AdminExistsError, EmailTakenError, UsernameTakenError),
    openapi_extra=PUBLIC,
)
async def create_first_admin(
    new: FirstAdminCreate, setup: Annotated[SetupService, Depends(get_setup)], response: Response
) -> User:
    """Open the first admin's account with the token that `glasswork serve` printed when it started."""
    return created(response, "/users", await setup.create_first_admin(new))
