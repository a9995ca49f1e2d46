"""Each rule as one statement that only reads, and so sees one moment.

Ids are UUIDv7: those of the newest rows are the end of an index, so a look at what was made last costs the
same however much there is. What is older was looked at when it was new.
"""
# ruff: noqa: S608 (the SQL is made of our own words)

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.jobs import SCHEMA

from .models import Rule

NEWEST = 10_000
"""Rows that a rule looks at."""
MOST = 100
"""Violations that are counted."""

_TASKS = "(SELECT * FROM tasks ORDER BY id DESC LIMIT :newest) AS task"
_EVENTS = "(SELECT * FROM workspace_events ORDER BY id DESC LIMIT :newest) AS event"
_PROJECT = "project.workspace_id = task.workspace_id AND project.id = task.project_id"

_VIOLATIONS: Mapping[Rule, str] = {
    Rule.CHANGE_WITHOUT_EVENT: f"""
        SELECT task.id FROM {_TASKS}
        WHERE NOT EXISTS (
            SELECT FROM workspace_events AS event
            WHERE event.workspace_id = task.workspace_id AND event.subject_id = task.id
                AND event.type = 'task.created'
        )
    """,
    # A subject that was purged has left an event that says nothing more.
    Rule.EVENT_WITHOUT_CHANGE: f"""
        SELECT event.id FROM {_EVENTS}
        WHERE event.after IS NOT NULL AND (
            event.type = 'task.created' AND NOT EXISTS (
                SELECT FROM tasks AS task
                WHERE task.workspace_id = event.workspace_id AND task.id = event.subject_id
            )
            OR event.type = 'project.created' AND NOT EXISTS (
                SELECT FROM projects AS project
                WHERE project.workspace_id = event.workspace_id AND project.id = event.subject_id
            )
        )
    """,
    Rule.EVENT_MISSING_IN_SEQUENCE: f"""
        SELECT event.id FROM {_EVENTS}
        WHERE event.seq > 1 AND NOT EXISTS (
            SELECT FROM workspace_events AS earlier
            WHERE earlier.workspace_id = event.workspace_id AND earlier.seq = event.seq - 1
        )
    """,
    Rule.EVENT_COUNTER_OFF: f"""
        SELECT recent.workspace_id FROM (SELECT DISTINCT event.workspace_id FROM {_EVENTS}) AS recent
        LEFT JOIN event_counters AS counter ON counter.workspace_id = recent.workspace_id
        WHERE counter.last_seq IS DISTINCT FROM (
            SELECT max(event.seq) FROM workspace_events AS event
            WHERE event.workspace_id = recent.workspace_id
        )
    """,
    Rule.TASK_WITHOUT_PROJECT: f"""
        SELECT task.id FROM {_TASKS} WHERE NOT EXISTS (SELECT FROM projects AS project WHERE {_PROJECT})
    """,
    Rule.TASK_NUMBER_AHEAD: f"""
        SELECT task.id FROM {_TASKS} JOIN projects AS project ON {_PROJECT}
        WHERE task.number > project.last_number
    """,
    Rule.COMPLETION_OFF: f"""
        SELECT task.id FROM {_TASKS}
        JOIN statuses AS status
            ON status.workspace_id = task.workspace_id AND status.id = task.status_id
        WHERE (task.completed_at IS NOT NULL) <> (status.category = 'done')
    """,
    Rule.LABEL_OF_OTHER_PROJECT: f"""
        SELECT task.id FROM {_TASKS}
        JOIN task_labels AS worn ON worn.workspace_id = task.workspace_id AND worn.task_id = task.id
        JOIN labels AS label ON label.workspace_id = worn.workspace_id AND label.id = worn.label_id
        WHERE label.project_id <> task.project_id
    """,
    Rule.WORKSPACE_WITHOUT_OWNER: """
        SELECT workspace.id FROM (SELECT * FROM workspaces ORDER BY id DESC LIMIT :newest) AS workspace
        WHERE workspace.deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM memberships AS member
            WHERE member.workspace_id = workspace.id AND member.role = 'owner' AND member.removed_at IS NULL
        )
    """,
    Rule.JOB_DEAD_UNSEEN: f"""
        SELECT job.id FROM (SELECT * FROM {SCHEMA}.pgqueuer ORDER BY id DESC LIMIT :newest) AS job
        WHERE job.status = 'failed' AND job.updated < now() - interval '1 day'
    """,
    Rule.JOB_ABANDONED: f"""
        SELECT job.id FROM (SELECT * FROM {SCHEMA}.pgqueuer ORDER BY id DESC LIMIT :newest) AS job
        WHERE job.status = 'picked' AND job.heartbeat < now() - interval '1 hour'
    """,
}

STATEMENTS = {
    rule: text(f"SELECT violation.id::text FROM ({query} LIMIT :most) AS violation (id)")
    for rule, query in _VIOLATIONS.items()
}


class InvariantRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_violations(self, rule: Rule) -> Sequence[str]:
        """Return the ids of what breaks the rule."""
        return (await self._session.scalars(STATEMENTS[rule], {"newest": NEWEST, "most": MOST})).all()
