"""Every POST can be sent again: it says so, and does nothing the second time."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.http.resources import REPLAYED
from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Callers

from .test_events import all_types
from .things import make_things
from .walker import Operation, operations
from .world import prepare

HEADER = "Idempotency-Key"
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
SHOWN_ONCE = {
    "create_invitation": {"token"},
    "create_webhook": {"secret"},
    "change_webhook_secret": {"secret"},
    "create_hook": {"secret"},
    "change_hook_secret": {"secret"},
    "create_calendar_feed": {"url"},
}
OF_NO_WORKSPACE = {"retry_job", "create_announcement"}
"""Everything else is told to members only, when it is told again."""
KEPT = text("SELECT workspace_id FROM idempotency_keys")

TAKING = {
    *("accept_invitation", "bulk_change_tasks", "create_invitation", "create_label", "create_project"),
    *("create_comment", "restore_comment", "create_announcement", "create_workspace_announcement"),
    *("create_hook", "change_hook_secret", "create_task_link", "create_import", "start_import"),
    *("create_calendar_feed", "create_archive"),
    *("create_relation", "create_status", "create_task", "create_workspace", "create_workspace_label"),
    *("create_webhook", "change_webhook_secret", "ping_webhook", "redeliver", "redeliver_since"),
    *("order_project_report", "order_workspace_report"),
    *("move_task", "restore_task", "retry_job", "transfer_workspace", "undo_task_change"),
}


def declaring(app: FastAPI) -> Iterator[str]:
    for methods in app.openapi()["paths"].values():
        for declared in methods.values():
            if any(parameter["name"] == HEADER for parameter in declared.get("parameters", ())):
                yield declared["operationId"]


def takes_key(operation: Operation) -> bool:
    """A key is its caller's, and those of /auth give tokens or ask for a proof."""
    return operation.method == "POST" and not operation.is_public and not operation.path.startswith("/auth/")


def test_every_post_of_a_known_caller_takes_a_key_and_nothing_else_does(app: FastAPI) -> None:
    assert sorted(declaring(app)) == sorted(each.name for each in operations(app) if takes_key(each))
    assert set(declaring(app)) == TAKING


def test_it_says_what_it_can_answer(app: FastAPI) -> None:
    for methods in app.openapi()["paths"].values():
        for declared in methods.values():
            if declared["operationId"] in TAKING:
                answers = declared["responses"]
                assert "`IDEMPOTENCY_KEY_IN_USE`" in answers["409"]["description"]
                assert "`IDEMPOTENCY_KEY_REUSED`" in answers["422"]["description"]
                assert "`VALIDATION_ERROR`" in answers["422"]["description"]
                assert REPLAYED in answers[min(answers)]["headers"]


def test_secrets_are_marked(app: FastAPI) -> None:
    marked = {
        name
        for name, schema in app.openapi()["components"]["schemas"].items()
        if any("x-shown-once" in field for field in schema.get("properties", {}).values())
    }
    assert marked == {"InvitationIssued", "WebhookIssued", "HookIssued", "CalendarFeedIssued"}


@pytest.mark.anyio
@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("name", sorted(TAKING))
@pytest.mark.fault("F17", "create", "comment", "webhook", "import")
async def test_the_second_time_it_says_the_same_and_does_nothing(
    app: FastAPI, callers: Callers, name: str
) -> None:
    owner = await callers.user(SystemRole.ADMIN)
    things = await make_things(callers, owner, "my")
    operation = next(each for each in operations(app) if each.name == name)
    path, options = prepare(operation, things)
    headers = {HEADER: KEY}
    first = await owner.request("POST", path, headers=headers, **options)
    assert first.status_code == operation.success, first.text
    assert REPLAYED not in first.headers
    done = await all_types(callers)
    again = await owner.request("POST", path, headers=headers, **options)
    assert again.headers[REPLAYED] == "true"
    assert again.status_code == first.status_code
    assert again.json() == first.json() | dict.fromkeys(SHOWN_ONCE.get(name, ()))
    for header in ("Content-Type", "ETag", "Location", "Cache-Control"):
        assert again.headers.get(header) == first.headers.get(header)
    assert await all_types(callers) == done
    async with callers.database.reading() as session:
        kept = (await session.scalars(KEPT)).one()
    assert (kept is None) == (name in OF_NO_WORKSPACE)
