"""Comments that are searched."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = sa.Computed("to_tsvector('english', coalesce(body, ''))", persisted=True)
    op.add_column("comments", sa.Column("search", TSVECTOR(), words))
    op.alter_column("comments", "search", nullable=False)
    op.create_index("ix_comments_search", "comments", ["search"], postgresql_using="gin")
    op.create_index(
        op.f("ix_comments_workspace_id_created_at_id"), "comments", ["workspace_id", "created_at", "id"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_comments_workspace_id_created_at_id"), "comments")
    op.drop_index("ix_comments_search", "comments")
    op.drop_column("comments", "search")
