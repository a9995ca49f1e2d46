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


def upgrade() -> None:
    _compute_search(_WEIGHED)


def downgrade() -> None:
    _compute_search(_PLAIN)


def _compute_search(expression: str) -> None:
    op.drop_column("tasks", "search")
    op.add_column(
        "tasks",
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(expression, persisted=True), nullable=False),
    )
    op.create_index("ix_tasks_search", "tasks", ["search"], unique=False, postgresql_using="gin")
