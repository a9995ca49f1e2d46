"""Tokens that reset a password, and tokens that confirm another address."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("one_time_tokens", sa.Column("address", sa.Text(), nullable=True))
    op.drop_constraint(op.f("ck_one_time_tokens_purpose"), "one_time_tokens", type_="check")
    op.create_check_constraint(
        op.f("ck_one_time_tokens_purpose"),
        "one_time_tokens",
        "purpose IN ('verify_email', 'reset_password', 'change_email')",
    )


def downgrade() -> None:
    op.execute("DELETE FROM one_time_tokens WHERE purpose <> 'verify_email'")
    op.drop_constraint(op.f("ck_one_time_tokens_purpose"), "one_time_tokens", type_="check")
    op.create_check_constraint(
        op.f("ck_one_time_tokens_purpose"), "one_time_tokens", "purpose IN ('verify_email')"
    )
    op.drop_column("one_time_tokens", "address")
