from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from glasswork.core.http.access import PUBLIC
from glasswork.core.http.errors import declare
from glasswork.core.http.files import body_of
from glasswork.core.http.rate_limits import rated
from glasswork.core.schemas import HookId
from glasswork.core.signatures import Header
from glasswork.features.hooks.errors import HookNotFoundError
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.tasks.errors import StatusRemovedError

from .errors import HookWithoutRightsError, InvalidSignatureError, MessageRepeatedError, StaleMessageError
from .schemas import GithubHeader, Message, MessageTaken
from .service import ReceivingService

router = APIRouter(tags=["hooks"])

_SIGNED: Final[dict[str, Any]] = {
    "parameters": [
        {"in": "header", "name": name, "required": False, "schema": {"type": "string"}}
        for name in (*Header, *GithubHeader)
    ],
    "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
}


async def get_message(request: Request) -> Message:
    return Message(dict(request.headers), b"".join([chunk async for chunk in body_of(request)]))


async def get_receiving(request: Request) -> ReceivingService:
    return ReceivingService(request.app.state.database, request.app.state.keys)


@router.post(
    "/hooks/{hook_id}",
    responses=declare(
        *(InvalidSignatureError, StaleMessageError, HookWithoutRightsError),
        *(HookNotFoundError, ProjectNotFoundError, MessageRepeatedError, StatusRemovedError),
    ),
    openapi_extra=PUBLIC | rated("600/minute") | _SIGNED,
)
async def receive_message(
    hook_id: HookId,
    message: Annotated[Message, Depends(get_message)],
    receiving: Annotated[ReceivingService, Depends(get_receiving)],
) -> MessageTaken:
    """Take what another program tells, if it is signed with the hook's secret.

    GitHub signs in its own way, with the headers `X-Hub-Signature-256`, `X-GitHub-Event` and
    `X-GitHub-Delivery`; everybody else as Standard Webhooks says, with `webhook-id`, `webhook-timestamp` and
    `webhook-signature`. A message is taken once; one that is refused may be sent again.
    """
    return await receiving.receive(hook_id, message)
