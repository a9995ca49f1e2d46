"""Tasks that are due soon are found without reading all, and tables are vacuumed before a fifth of them has changed."""

import sqlalchemy as sa
from alembic import op

from glasswork.core import online_ddl

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_DUE = "due_at IS NOT NULL AND completed_at IS NULL AND archived_at IS NULL AND deleted_at IS NULL"
_VACUUM = {
    "tasks": {
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_insert_scale_factor": 0.02,
        "autovacuum_analyze_scale_factor": 0.02,
    },
    "workspace_events": {"autovacuum_vacuum_insert_scale_factor": 0.05},
    "event_counters": {
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_threshold": 1000,
    },
}


def upgrade() -> None:
    online_ddl.create_index("ix_tasks_due_soon", "tasks", ["due_at"], postgresql_where=sa.text(_DUE))
    for table, values in _VACUUM.items():
        op.execute(
            f"ALTER TABLE {table} SET ({', '.join(f'{key} = {value}' for key, value in values.items())})"
        )


def downgrade() -> None:
    online_ddl.drop_index("ix_tasks_due_soon", "tasks")
    for table, values in _VACUUM.items():
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(values)})")
