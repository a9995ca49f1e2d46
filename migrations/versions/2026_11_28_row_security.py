"""Who writes in a workspace must be one of its members, or the system: policies see to it."""

from alembic import op

from glasswork.core.row_security import IS_THE_ACTORS, policies

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = (
    *("memberships", "invitations", "projects", "labels", "statuses", "transitions"),
    *("tasks", "former_keys", "relations", "task_labels", "watchers"),
    *("workspace_events", "event_counters"),
)

# It sees all memberships, as its callers need not, and what it names was bound when it was made: no search_path
# can bend it. Who leaves a workspace belongs to it until the commit, for that is still written down there.
_ACTOR_WORKSPACES = """
    CREATE FUNCTION actor_workspaces() RETURNS uuid[]
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
        SELECT ARRAY(
            SELECT workspace_id FROM public.memberships
            WHERE user_id = nullif(current_setting('glasswork.user_id', true), '')::uuid
            AND (removed_at IS NULL OR removed_at >= now())
            AND (nullif(current_setting('glasswork.api_token_id', true), '') IS NULL OR EXISTS (
                SELECT FROM public.api_tokens
                WHERE id = nullif(current_setting('glasswork.api_token_id', true), '')::uuid
                AND coalesce(api_tokens.workspace_id, memberships.workspace_id) = memberships.workspace_id
            ))
        );
    END
"""


def upgrade() -> None:
    op.execute(_ACTOR_WORKSPACES)
    for table in _TABLES:
        _protect(table)
    _protect("workspaces", "id = ANY ((SELECT actor_workspaces())::uuid[])")
    _protect("api_tokens", IS_THE_ACTORS)


def _protect(table: str, *is_mine: str) -> None:
    for statement in policies(table, *is_mine):
        op.execute(statement)


def downgrade() -> None:
    for table in (*_TABLES, "workspaces", "api_tokens"):
        for policy in ("reads", "inserts", "updates", "deletes"):
            op.execute(f"DROP POLICY {policy} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP FUNCTION actor_workspaces()")
