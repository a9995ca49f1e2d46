"""Accounts that are deleted, what the audit log asks for, and tokens for the first administrator."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_EVENTS = ("workspace_events", "installation_events")
_INDEXES = {
    "workspace_events": (
        ["workspace_id", "at", "seq"],
        ["workspace_id", "actor_id", "at", "seq"],
        ["workspace_id", "type", "at", "seq"],
    ),
    "installation_events": (
        ["at", "id"],
        ["actor_id", "at", "id"],
        ["type", "at", "id"],
        ["subject_id", "at", "id"],
    ),
}


def upgrade() -> None:
    op.add_column("users", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_invitations_email", "invitations", [sa.literal_column("lower(email)")])
    for table in _EVENTS:
        op.add_column(table, sa.Column("api_token_id", sa.Uuid(), nullable=True))
        # What came from an API token was told as if the token were a session.
        tokens = sa.table("api_tokens", sa.column("id"))
        events = sa.table(table, sa.column("session_id"), sa.column("api_token_id"))
        is_token = events.c.session_id.in_(sa.select(tokens.c.id))
        op.execute(
            events.update().where(is_token).values(api_token_id=events.c.session_id, session_id=sa.null())
        )
        for columns in _INDEXES[table]:
            op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)
    op.create_table(
        "setup_tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_setup_tokens")),
    )


def downgrade() -> None:
    op.drop_table("setup_tokens")
    for table in _EVENTS:
        for columns in _INDEXES[table]:
            op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table_name=table)
        events = sa.table(table, sa.column("session_id"), sa.column("api_token_id"))
        has_token = events.c.api_token_id.is_not(None)
        op.execute(events.update().where(has_token).values(session_id=events.c.api_token_id))
        op.drop_column(table, "api_token_id")
    op.drop_index("ix_invitations_email", table_name="invitations")
    op.drop_column("users", "deleted_at")
