from typing import Annotated

from fastapi import APIRouter, Depends

from glasswork.core.http.dependencies import AsSystem, Session
from glasswork.core.http.errors import declare
from glasswork.features.accounts.auth import RECENTLY_SIGNED_IN, CurrentActor
from glasswork.features.credentials.auth import LimitOwnPassword
from glasswork.features.credentials.errors import WrongPasswordError

from .errors import LastAdminError, OnlyOwnerError
from .schemas import AccountDeletion
from .service import DeletionService

router = APIRouter(prefix="/users", tags=["users"])


async def get_deletions(session: Session) -> DeletionService:
    return DeletionService(session)


@router.delete(
    "/me",
    status_code=204,
    responses=declare(*RECENTLY_SIGNED_IN, WrongPasswordError, OnlyOwnerError, LastAdminError),
    dependencies=[AsSystem, LimitOwnPassword],
)
async def delete_me(
    body: AccountDeletion, actor: CurrentActor, deletions: Annotated[DeletionService, Depends(get_deletions)]
) -> None:
    """Delete my account for good: my name goes, and what I wrote for others stays.

    Workspaces in which I am alone go with me. While I am the only owner of one that has other members,
    this is refused: `details.workspaces` names it. Needs a recent login.
    """
    await deletions.delete_me(actor, body.password.get_secret_value() if body.password else None)
