"""Indexes by which the activity of a task finds its files and relations that are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_GONE = sa.text("type IN ('attachment.deleted', 'relation.deleted')")


def upgrade() -> None:
    for name, task_id in (
        ("from", "coalesce(before ->> 'task_id', before ->> 'from_id')"),
        ("to", "(before ->> 'to_id')"),
    ):
        op.create_index(
            f"ix_workspace_events_gone_{name}",
            "workspace_events",
            ["workspace_id", sa.text(task_id)],
            postgresql_where=_GONE,
        )


def downgrade() -> None:
    for name in ("from", "to"):
        op.drop_index(f"ix_workspace_events_gone_{name}", "workspace_events")
