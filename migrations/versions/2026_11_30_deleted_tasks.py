"""Deleted tasks are found without reading all others."""

import sqlalchemy as sa

from glasswork.core import online_ddl

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    online_ddl.create_index(
        "ix_tasks_deleted", "tasks", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )


def downgrade() -> None:
    online_ddl.drop_index("ix_tasks_deleted", "tasks")
