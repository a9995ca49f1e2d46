"""The ceiling's writes: by hand, one statement each, which leave the rows that the app leaves.

The actor's rights are asked in the statement, as the app does; pg_notify and idempotency keys are left out.
"""

import asyncio
from typing import Any

from argon2 import PasswordHasher
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.ordering import DIGITS
from glasswork.core.tokens import ACCESS_TOKEN_LIFETIME, Keys, issue_access_token, issue_refresh_token

_MAY_WRITE = """
    EXISTS (
        SELECT FROM memberships AS member
        JOIN workspaces AS workspace ON workspace.id = member.workspace_id
        JOIN user_sessions AS session ON session.user_id = member.user_id
        JOIN users ON users.id = member.user_id
        WHERE member.workspace_id = {of}.workspace_id AND member.user_id = $1 AND member.role <> 'viewer'
        AND member.removed_at IS NULL AND workspace.deleted_at IS NULL AND users.is_active
        AND session.id = $2 AND session.revoked_at IS NULL AND session.rotated_at > now() - interval '7 days'
    )
"""
_SHOWN = """
    task.id, task.workspace_id, task.project_id, {key} || '-' || task.number AS key, task.title,
    task.description, {status} AS status, task.priority, task.assignee_id, {labels} AS label_ids, task.due_at,
    task.start_at, task.estimate_minutes, task.parent_id, task.position, task.recurrence,
    {watchers} AS watcher_ids, task.external, task.version, task.created_by, task.created_at,
    task.updated_at, task.completed_at, task.archived_at
"""
_NEW = _SHOWN.format(key="place.key", status="place.status", labels="'{}'::uuid[]", watchers="'{}'::uuid[]")
_CHANGED = _SHOWN.format(
    key="project.key",
    status="status.key",
    labels="""ARRAY(SELECT label_id FROM task_labels AS label
        WHERE label.workspace_id = task.workspace_id AND label.task_id = task.id ORDER BY label_id)""",
    watchers="""ARRAY(SELECT user_id FROM watchers AS watcher
        WHERE watcher.workspace_id = task.workspace_id AND watcher.task_id = task.id ORDER BY user_id)""",
)
_COUNTED = """
    INSERT INTO event_counters (workspace_id, last_seq) SELECT workspace_id, 1 FROM task
    ON CONFLICT (workspace_id) DO UPDATE SET last_seq = event_counters.last_seq + 1
    RETURNING last_seq
"""
_EVENT = "workspace_id, seq, id, type, subject_id, actor_id, session_id, request_id, before, after"
_RECORDED = f"""
    INSERT INTO workspace_events ({_EVENT})
    SELECT workspace_id, last_seq, $4::uuid, {{what}}, task.id, $1, $2, $4::uuid::text, {{before}}, {{after}}
    FROM task, counter
"""  # noqa: S608 (our own words, as everywhere here)

# The key of the manual order, as `core.ordering.key_of` makes it, for less than 62 + 62**2 + ... tasks.
_POSITION = f"""
    SELECT chr(96 + digits) || string_agg(
        substr('{DIGITS}', (last_number - below) / (62 ^ place)::int % 62 + 1, 1), '' ORDER BY place DESC)
    FROM (VALUES (1, 0, 62), (2, 62, 3906), (3, 3906, 242234), (4, 242234, 15018570))
        AS size (digits, below, above), generate_series(0, digits - 1) AS place
    WHERE last_number >= below AND last_number < above GROUP BY digits
"""  # noqa: S608
_CREATE = f"""
    WITH place AS (
        UPDATE projects AS project SET last_number = last_number + 1
        WHERE id = $3 AND deleted_at IS NULL AND {_MAY_WRITE.format(of="project")}
        RETURNING workspace_id, id, key, last_number, 'todo' AS status,
            (SELECT first.id FROM statuses AS first WHERE project_id = $3 ORDER BY position LIMIT 1)
                AS status_id
    ), task AS (
        INSERT INTO tasks (workspace_id, id, project_id, number, title, description, status_id, priority,
            position, created_by, version)
        SELECT workspace_id, $5, id, last_number, $6, '', status_id, 'none', ({_POSITION}), $1, 1 FROM place
        RETURNING *
    ), shown AS (SELECT {_NEW} FROM task, place), counter AS ({_COUNTED}), event AS (
        {_RECORDED.format(what="'task.created'", before="NULL", after="(SELECT to_jsonb(shown) FROM shown)")}
    )
    SELECT * FROM shown
"""  # noqa: S608
_PATCH = f"""
    WITH task AS (
        UPDATE tasks AS task SET estimate_minutes = $5, version = task.version + 1, updated_at = now()
        WHERE id = $3 AND deleted_at IS NULL AND {_MAY_WRITE.format(of="task")}
        RETURNING new.*, old.estimate_minutes AS minutes_before, old.version AS version_before,
            old.updated_at AS updated_before
    ), shown AS (
        SELECT {_CHANGED} FROM task
        JOIN projects AS project ON project.workspace_id = task.workspace_id AND project.id = task.project_id
        JOIN statuses AS status ON status.workspace_id = task.workspace_id AND status.id = task.status_id
    ), counter AS ({_COUNTED}), event AS ({
    _RECORDED.format(
        what="'task.updated'",
        before='''jsonb_build_object('estimate_minutes', minutes_before, 'version', version_before,
            'updated_at', updated_before)''',
        after='''jsonb_build_object('estimate_minutes', task.estimate_minutes, 'version', task.version,
            'updated_at', task.updated_at)''',
    )
})
    SELECT * FROM shown
"""  # noqa: S608
_USER = "SELECT id, password_hash FROM users WHERE is_active AND lower(username) = lower($1)"
_SESSION = "INSERT INTO user_sessions (id, user_id, sequence) VALUES ($1, $2, 0)"
_hasher = PasswordHasher()


async def create(pool: Any, actor: Actor, project_id: str, body: dict[str, Any]) -> dict[str, Any]:
    row = await pool.fetchrow(
        _CREATE, actor.user_id, actor.session_id, project_id, uuid7(), uuid7(), body["title"]
    )
    return dict(row)


async def patch(pool: Any, actor: Actor, task_id: str, body: dict[str, Any]) -> dict[str, Any]:
    row = await pool.fetchrow(
        _PATCH, actor.user_id, actor.session_id, task_id, uuid7(), body["estimate_minutes"]
    )
    return dict(row)


async def log_in(pool: Any, keys: Keys, form: dict[str, str]) -> dict[str, Any]:
    user_id, password_hash = await pool.fetchrow(_USER, form["username"])
    await asyncio.to_thread(_hasher.verify, password_hash, form["password"])
    session_id = uuid7()
    await pool.execute(_SESSION, session_id, user_id)
    return {
        "access_token": issue_access_token(keys, Actor(user_id, session_id)),
        "refresh_token": issue_refresh_token(keys, session_id, 0),
        "token_type": "bearer",
        "expires_in": int(ACCESS_TOKEN_LIFETIME.total_seconds()),
    }
