"""What each operation is called with."""

from typing import Any

from tests.factories.callers import PASSWORD

from .things import Things
from .walker import Operation

BODIES: dict[str, dict[str, Any]] = {
    "register": {"email": "new@example.com", "username": "new", "name": "New", "password": PASSWORD},
    "verify_email": {"token": "{verify_email}"},
    "change_password": {"password": PASSWORD, "new_password": f"{PASSWORD} too"},
    "request_password_reset": {"email": "nobody@example.com"},
    "reset_password": {"token": "{reset_password}", "new_password": f"{PASSWORD} too"},
    "change_email": {"email": "another@example.com", "password": PASSWORD},
    "confirm_email": {"token": "{change_email}"},
    "verify_second_factor": {"challenge": "{challenge}", "code": "{code}"},
    "reauthenticate": {"password": PASSWORD, "code": "{code}"},
    "begin_totp": {"password": PASSWORD},
    "confirm_totp": {"code": "{code}"},
    "create_api_token": {"name": "script", "scopes": ["tasks:read"]},
    "create_first_admin": {
        "token": "{setup}",
        "email": "boss@example.com",
        "username": "boss",
        "name": "Boss",
        "password": PASSWORD,
    },
    "update_me": {"name": "Another"},
    "delete_me": {"password": PASSWORD},
    "update_user": {"is_active": False},
    "create_workspace": {"name": "W", "slug": "w"},
    "update_workspace": {"name": "V"},
    "update_member": {"role": "admin"},
    "create_invitation": {"email": "Somebody@example.com", "role": "viewer"},
    "accept_invitation": {"token": "{invited}"},
    "register_invited": {
        "token": "{host_invited}",
        "username": "hosted",
        "name": "Hosted",
        "password": PASSWORD,
    },
    "transfer_workspace": {"user_id": "{user_id}"},
    "create_project": {"name": "P", "key": "NEW"},
    "update_project": {"name": "Q"},
    "create_label": {"name": "new"},
    "update_label": {"name": "other"},
    "create_workspace_label": {"name": "new"},
    "create_status": {"key": "review", "name": "Review", "category": "in_progress", "position": 2},
    "update_status": {"name": "Doing", "position": 0, "next": ["todo"]},
    "create_task": {"title": "T"},
    "update_task": {"title": "U", "status": "done"},
    "position_task": {"after_id": "{done_task_id}"},
    "move_task": {"project_id": "{other_project_id}"},
    "create_relation": {"kind": "blocks", "task_id": "{done_task_id}"},
    "create_announcement": {"subject": "News", "body": "Of all."},
    "create_workspace_announcement": {"subject": "News", "body": "Of the team."},
    "create_task_link": {"url": "https://example.com/other"},
    "create_hook": {"kind": "json", "name": "H", "project_id": "{project_id}", "mapping": {"title": "/t"}},
    "update_hook": {"name": "I"},
    "create_import": {"format": "csv", "project_id": "{project_id}"},
    "start_import": {"dry_run": True},
    "create_calendar_feed": {"name": "F", "project_id": "{project_id}"},
    "create_comment": {"body": "*Well* said"},
    "update_comment": {"body": "Better said"},
    "create_webhook": {"url": "https://example.com/changes"},
    "update_webhook": {"description": "To the other tool."},
    "change_webhook_secret": {"previous_valid_hours": 1},
    "redeliver_since": {"since": "2026-01-01T00:00:00Z"},
    "bulk_change_tasks": {
        "mode": "atomic",
        "operations": [{"op": "update", "task_id": "{task_id}", "title": "V"}],
    },
    "set_notification_preferences": {
        "time_zone": "UTC",
        "preferences": [{"kind": "watched", "project_id": "{project_id}", "in_app": True, "mail": "none"}],
    },
    "order_project_report": {"first_day": "2026-03-02", "last_day": "2026-03-08"},
    "order_workspace_report": {"first_day": "2026-03-02", "last_day": "2026-03-08", "time_zone": "UTC"},
    "refresh": {"refresh_token": "{refresh_token}"},
}
FILES = {"put_attachment": "words", "receive_message": "{message}", "put_import_file": "title\nOne"}
HEADERS = {
    "receive_message": {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "delivery",
        "X-Hub-Signature-256": "{message_signature}",
    }
}
FORMS = {"log_in": {"username": "{email}", "password": PASSWORD, "code": "{code}"}}
QUERIES = {
    "search_tasks": {"q": "task"},
    "delete_status": {"move_to": "todo"},
    "put_attachment": {"name": "{file_name}"},
}
SUBJECTS = {
    "show_unsubscription": {"token": "{unsubscribe}"},
    "unsubscribe": {"token": "{unsubscribe}"},
    "restore_task": {"task_id": "{deleted_task_id}"},
    "reopen_task": {"task_id": "{done_task_id}"},
    "unarchive_task": {"task_id": "{archived_task_id}"},
    **{
        name: {"task_id": "{whole_task_id}"}
        for name in ("list_subtasks", "unwatch_task", "list_relations", "get_relation", "delete_relation")
    },
    "undo_task_change": {"task_id": "{done_task_id}"},
    "start_import": {"import_id": "{checked_import_id}"},
    "restore_comment": {"comment_id": "{deleted_comment_id}"},
    "add_reaction": {"reaction": "rocket"},
    "get_announcement": {"announcement_id": "{general_announcement_id}"},
}
"""Where an operation is not for the thing of its path parameter's name."""


def prepare(operation: Operation, things: Things) -> tuple[str, dict[str, Any]]:
    """Return its path below the prefix, and what else httpx2 needs to call it."""
    options: dict[str, Any] = {}
    if body := BODIES.get(operation.name):
        options["json"] = filled(body, things)
    if operation.name in FILES:
        options["content"] = file_of(operation, things)
    if headers := HEADERS.get(operation.name):
        options["headers"] = filled(headers, things)
    if query := QUERIES.get(operation.name):
        options["params"] = filled(query, things)
    if form := FORMS.get(operation.name):
        options["data"] = filled(form, things)
    return operation.path.format(**subjects(operation, things)), options


def subjects(operation: Operation, things: Things) -> Things:
    """Return what stands in its path."""
    others: Things = filled(SUBJECTS.get(operation.name, {}), things)
    return things | others


def file_of(operation: Operation, things: Things) -> bytes:
    """Return what is sent as it is."""
    text: str = filled(FILES[operation.name], things)
    return text.encode()


def filled(value: Any, things: Things) -> Any:
    if isinstance(value, dict):
        return {name: filled(inner, things) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, things) for inner in value]
    return value.format(**things) if isinstance(value, str) else value
