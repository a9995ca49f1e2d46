"""Who is answered what: every operation of the document for everybody who may call it or may not.

A row of `DUE` names who is let in; the rest follows from the document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from httpx2 import Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from glasswork.core.actor import Scope
from glasswork.core.http.resources import API_PREFIX
from glasswork.features.accounts.models import SystemRole, UserSession
from glasswork.features.workspaces.models import Role
from tests.conftest import undone
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token, make_workspace

from .snapshot import snapshot, writes
from .things import Things, begin_totp_again, make_things
from .walker import Operation
from .world import prepare

OK: Final = 0
"""The one success that the operation declares."""

ROLES = ("viewer", "member", "admin", "owner")
NOT_SIGNED_IN = ("nobody", "signed_out", "disabled", "revoked_token", "expired_token")
STRANGERS = ("outsider", "ex_member", "operator", "token_elsewhere")
TOKENS = ("token", "token_without_scope")
PEOPLE = (*NOT_SIGNED_IN, *STRANGERS, *ROLES, *TOKENS)

HANDED_ON = {"follow_link", "follow_calendar_feed"}
"""Whoever has been given the address may see what is there."""
NOTED = {"export_project", "export_workspace"}
"""Reads that the audit log tells of."""
MARK = "zanzibar"
"""In the name of everything that belongs to the workspace."""


def from_role(lowest: str, refused: int = 403, strangers: int = 404) -> dict[str, int]:
    """Those with this role in the workspace, and those above."""
    reached = ROLES[ROLES.index(lowest) :]
    return {
        **dict.fromkeys(STRANGERS, strangers),
        **{role: OK if role in reached else refused for role in ROLES},
    }


EVERYBODY = dict.fromkeys((*STRANGERS, *ROLES), OK)
MEMBERS = from_role("viewer")
WRITERS = from_role("member")
ADMINS = from_role("admin")
OWNERS = from_role("owner")
OPERATORS = dict.fromkeys((*STRANGERS, *ROLES), 403) | {"operator": OK}
MINE = from_role("owner", refused=404)
INVITED = from_role("owner", strangers=403)
UNKEPT = EVERYBODY | {"token_elsewhere": 403}
"""Everybody but API tokens that are kept to one workspace."""

DUE: dict[str, Mapping[str, int]] = {
    **dict.fromkeys(
        (
            *("register", "register_invited", "log_in", "refresh", "verify_email", "request_password_reset"),
            *("reset_password", "confirm_email", "verify_second_factor", "reauthenticate", "get_totp_status"),
            *("get_me", "update_me", "list_workspaces"),
            *("log_out", "list_sessions", "end_other_sessions", "change_password", "change_email"),
            *("create_api_token", "list_api_tokens", "export_me"),
            *("list_oidc_providers", "begin_oidc", "link_identity", "list_identities"),
            *("follow_link", "follow_calendar_feed", "show_unsubscription", "unsubscribe"),
            *("list_notifications", "count_notifications", "read_all_notifications"),
            *("get_notification_preferences", "receive_message"),
        ),
        EVERYBODY,
    ),
    # It names a project.
    "set_notification_preferences": EVERYBODY | dict.fromkeys(STRANGERS, 422),
    "begin_totp": EVERYBODY | {"owner": 409},
    "delete_me": EVERYBODY | {"operator": 409},
    "create_first_admin": dict.fromkeys(PEOPLE, 409),
    **dict.fromkeys(("create_workspace", "list_announcements", "get_announcement"), UNKEPT),
    **dict.fromkeys(
        (
            *("get_notification", "read_notification", "unread_notification"),
            *("end_session", "get_api_token", "revoke_api_token", "delete_identity"),
            *("get_calendar_feed", "delete_calendar_feed"),
            *("confirm_totp", "renew_recovery_codes", "disable_totp"),
        ),
        MINE,
    ),
    "finish_oidc": dict.fromkeys(PEOPLE, 401),  # whoever they are, no provider has sent them
    "accept_invitation": INVITED,
    **dict.fromkeys(
        (
            *("get_workspace", "list_members", "get_member", "list_changes", "stream_changes"),
            *("list_projects", "get_project", "list_statuses", "list_labels", "get_label"),
            *("get_status", "list_workspace_labels"),
            *("list_project_tasks", "list_workspace_tasks", "get_task", "get_task_by_key"),
            *("search_tasks", "list_subtasks", "list_relations", "get_relation"),
            *("list_task_links", "get_task_link"),
            *("list_task_history", "get_project_board", "get_project_summary"),
            *("list_attachments", "get_attachment", "download_attachment", "get_thumbnail", "get_link"),
            *("list_comments", "get_comment", "list_comment_versions"),
            *("list_workspace_activity", "list_project_activity", "list_task_activity"),
            *("export_project", "export_workspace", "create_calendar_feed", "list_calendar_feeds"),
            *("list_workspace_announcements", "get_workspace_announcement"),
            *("list_imports", "get_import", "list_import_faults", "follow_import"),
            *("list_project_reports", "list_workspace_reports", "get_report", "get_report_page"),
            "get_report_chart",
        ),
        MEMBERS,
    ),
    **dict.fromkeys(
        (
            *("create_task", "update_task", "delete_task", "restore_task", "complete_task", "reopen_task"),
            *("position_task", "move_task", "archive_task", "unarchive_task", "watch_task", "unwatch_task"),
            *("create_relation", "delete_relation", "create_task_link", "delete_task_link"),
            "bulk_change_tasks",
            *("put_attachment", "delete_attachment"),
            *("create_label", "update_label", "delete_label"),
            *("undo_task_change", "create_project"),
            *("create_comment", "add_reaction", "remove_reaction"),
            "create_import",
            *("order_project_report", "order_workspace_report", "delete_report"),
        ),
        WRITERS,
    ),
    **dict.fromkeys(
        (
            *("update_workspace", "update_member", "remove_member", "update_project", "delete_project"),
            *("create_status", "update_status", "delete_status", "create_workspace_label"),
            *("create_invitation", "list_invitations", "get_invitation", "withdraw_invitation"),
            *("create_hook", "list_hooks", "get_hook", "update_hook", "change_hook_secret", "delete_hook"),
            *("list_workspace_audit", "delete_comment", "restore_comment", "create_workspace_announcement"),
            *("create_webhook", "list_webhooks", "get_webhook", "update_webhook", "delete_webhook"),
            *("change_webhook_secret", "ping_webhook", "list_deliveries", "get_delivery"),
            *("redeliver", "redeliver_since"),
            *("put_import_file", "start_import", "delete_import"),
        ),
        ADMINS,
    ),
    **dict.fromkeys(
        (
            *("delete_workspace", "transfer_workspace"),
            *("create_archive", "list_archives", "get_archive", "download_archive", "delete_archive"),
        ),
        OWNERS,
    ),
    "update_comment": OWNERS,  # whose it is
    **dict.fromkeys(
        (
            *("list_users", "get_user", "update_user", "reset_user_totp"),
            *("list_jobs", "get_job", "retry_job", "list_audit", "create_announcement"),
        ),
        OPERATORS,
    ),
}


def due(operation: Operation, person: str) -> int:
    """Return the status that the person must be answered."""
    status = _due(operation, person)
    return operation.success if status == OK else status


def _due(operation: Operation, person: str) -> int:
    if operation.is_public:
        return DUE[operation.name].get(person, OK)
    is_token = "token" in person
    if is_token and operation.scope is None:
        return 403
    if person in NOT_SIGNED_IN:
        return 401
    if person == "token_without_scope":
        return 403
    if person == "token_elsewhere" and operation.scope in {Scope.ADMIN_READ, Scope.ADMIN_WRITE}:
        return 403
    return DUE[operation.name]["owner" if person == "token" else person]


@dataclass(frozen=True)
class World:
    connection: AsyncConnection
    callers: Callers
    owner: Caller
    things: Things
    bearers: Mapping[str, str | None]
    lacking: Mapping[Scope, str]
    """Tokens that have every scope but one."""
    content: Mapping[str, str]
    """What was in every table at first, as a hash."""

    @classmethod
    async def make(cls, connection: AsyncConnection, callers: Callers) -> Self:
        owner = await callers.user()
        things = await make_things(callers, owner, MARK)
        people = await _make_people(callers, owner, things["workspace_id"])
        tokens = await _make_tokens(callers, owner)
        bearers = {name: person.token for name, person in people.items()} | tokens
        lacking = {scope: await _make_token_without(owner, scope) for scope in Scope}
        content = await snapshot(connection)
        return cls(connection, callers, owner, things, {"nobody": None, **bearers}, lacking, content)

    async def with_totp_begun(self) -> Self:
        things = await begin_totp_again(self.callers, self.owner, self.things)
        return await replace(self, things=things).as_it_is_now()

    async def as_it_is_now(self) -> Self:
        return replace(self, content=await snapshot(self.connection))

    async def deviations(self, operation: Operation, people: tuple[str, ...] = PEOPLE) -> dict[str, str]:
        """Return how the answers differ from what is due, by person."""
        found = {person: await self._knock(operation, person) for person in people}
        return {person: deviation for person, deviation in found.items() if deviation}

    async def answer(self, operation: Operation, person: str) -> Response:
        path, options = prepare(operation, self.things)
        bearer = self._bearer(operation, person)
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        url = f"{API_PREFIX}{path}"
        return await self.callers.client.request(operation.method, url, headers=headers, **options)

    async def attempt(self, operation: Operation, person: str) -> tuple[Response, list[str]]:
        """Return the answer and the tables that changed, in a transaction that is rolled back."""
        async with undone(self.connection):
            before = await writes(self.connection)
            answer = await self.answer(operation, person)
            is_changed = await writes(self.connection) != before
            content = await snapshot(self.connection) if is_changed else self.content
        return answer, [table for table in content if content[table] != self.content[table]]

    async def _knock(self, operation: Operation, person: str) -> str | None:
        answer, changed = await self.attempt(operation, person)
        expected = due(operation, person)
        if answer.status_code != expected:
            return f"{answer.status_code} instead of {expected}: {answer.text}"
        is_read = operation.method == "GET" and operation.name not in NOTED
        if changed and (expected >= 400 or is_read):
            return f"changed {changed}"
        if operation.name in HANDED_ON:
            return None
        if person not in (*ROLES, "token") and MARK in f"{answer.headers}{answer.text}":
            return f"was shown {answer.text}"
        return None

    def _bearer(self, operation: Operation, person: str) -> str | None:
        if person == "token_without_scope" and operation.scope:
            return self.lacking[operation.scope]
        return self.bearers["token" if person == "token_without_scope" else person]


async def _make_people(callers: Callers, owner: Caller, workspace_id: str) -> dict[str, Caller]:
    """The signed-out and the disabled had a role that opens almost everything; one is signed in elsewhere."""
    roles = (Role.VIEWER, Role.MEMBER, Role.ADMIN)
    people = {role.value: await callers.member(workspace_id, role) for role in roles} | {"owner": owner}
    people |= {name: await callers.member(workspace_id, Role.OWNER) for name in ("signed_out", "disabled")}
    people |= {"outsider": await callers.outsider(), "operator": await callers.outsider(SystemRole.ADMIN)}
    people["ex_member"] = await callers.member(workspace_id, Role.ADMIN)
    removed = await owner.delete(f"/workspaces/{workspace_id}/members/{people['ex_member'].id}")
    assert removed.status_code == 204
    await people["signed_out"].post("/auth/logout")
    async with callers.database.system_transaction() as session:
        disabled = text("UPDATE users SET is_active = false WHERE id = :id")
        await session.execute(disabled, {"id": people["disabled"].id})
        session.add(UserSession(id=uuid7(), user_id=people["signed_out"].id, sequence=0))
    return people


async def _make_tokens(callers: Callers, owner: Caller) -> dict[str, str]:
    """All are the owner's, and would open what he may, but for the one thing that is wrong with each."""
    kept = [each for each in Scope if each not in {Scope.ADMIN_READ, Scope.ADMIN_WRITE}]
    elsewhere = (await make_workspace(owner))["id"]
    made = {
        "token": await make_api_token(owner, *Scope),
        "token_elsewhere": await make_api_token(owner, *kept, workspace_id=elsewhere),
        "revoked_token": await make_api_token(owner, *Scope),
        "expired_token": await make_api_token(owner, *Scope),
    }
    assert (await owner.delete(f"/auth/api-tokens/{made['revoked_token']['id']}")).status_code == 204
    async with callers.database.system_transaction() as session:
        expired = text("UPDATE api_tokens SET expires_at = now() WHERE id = :id")
        await session.execute(expired, {"id": made["expired_token"]["id"]})
    return {name: token["token"] for name, token in made.items()}


async def _make_token_without(owner: Caller, scope: Scope) -> str:
    token: str = (await make_api_token(owner, *(each for each in Scope if each is not scope)))["token"]
    return token
