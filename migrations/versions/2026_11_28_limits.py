"""Wrong guesses, which make the next one wait."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guess_counts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("wrong", sa.Double(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("right_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_guess_counts")),
    )
    op.create_index(op.f("ix_guess_counts_counted_at"), "guess_counts", ["counted_at"])


def downgrade() -> None:
    op.drop_table("guess_counts")
