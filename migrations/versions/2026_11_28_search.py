"""Words of titles weigh more, and an index for every way to list tasks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None

_WEIGHED = (
    "setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', description), 'C')"
)
_PLAIN = "to_tsvector('english', title || ' ' || description)"


_RANK = "array_position('{none,low,medium,high,urgent}'::text[], priority)"
_FIRST, _LAST = "'0002-01-01 00:00:00+00'::timestamptz", "'9998-01-01 00:00:00+00'::timestamptz"
_SORTS = {
    "title": "title",
    "priority": _RANK,
    "due": f"coalesce(due_at, {_LAST})",
    "due_down": f"coalesce(due_at, {_FIRST})",
    "start": f"coalesce(start_at, {_LAST})",
    "start_down": f"coalesce(start_at, {_FIRST})",
    "updated": "updated_at",
}
_PLACES = ("project", "workspace")
_OTHERS = (
    ("status_id", "id"),
    ("workspace_id", "number", "id"),
    ("workspace_id", "position", "id"),
)


def upgrade() -> None:
    _compute_search(_WEIGHED, collation="C")
    for place in _PLACES:
        for name, key in _SORTS.items():
            op.create_index(
                f"ix_tasks_{place}_{name}", "tasks", [f"{place}_id", sa.literal_column(key), "id"]
            )
    for columns in _OTHERS:
        op.create_index(op.f(f"ix_tasks_{'_'.join(columns)}"), "tasks", list(columns))
    op.create_index(
        "ix_tasks_board",
        "tasks",
        ["status_id", "position"],
        postgresql_include=["workspace_id", "id", "priority", "assignee_id", "due_at", "estimate_minutes"],
        postgresql_where=sa.text("deleted_at IS NULL AND archived_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_tasks_board", table_name="tasks")
    for columns in _OTHERS:
        op.drop_index(op.f(f"ix_tasks_{'_'.join(columns)}"), table_name="tasks")
    for place in _PLACES:
        for name in _SORTS:
            op.drop_index(f"ix_tasks_{place}_{name}", table_name="tasks")
    _compute_search(_PLAIN, collation="default")


def _compute_search(expression: str, collation: str) -> None:
    op.drop_column("tasks", "search")
    op.alter_column("tasks", "title", type_=sa.Text(collation=collation))
    op.add_column(
        "tasks",
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(expression, persisted=True), nullable=False),
    )
    op.create_index("ix_tasks_search", "tasks", ["search"], unique=False, postgresql_using="gin")
