"""Identities of providers, and accounts that have no password."""

from base64 import b64encode
from secrets import token_bytes

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("provider", "subject", name=op.f("uq_identities_provider_subject")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"])
    op.alter_column("users", "password_hash", nullable=True)


def downgrade() -> None:
    # The hash of what nobody knows: code of that time takes an empty one for one that can be guessed.
    salt, digest = (b64encode(token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    nobody = sa.text("UPDATE users SET password_hash = :nobody WHERE password_hash IS NULL")
    op.execute(nobody.bindparams(nobody=f"$argon2id$v=19$m=19456,t=2,p=1${salt}${digest}"))
    op.alter_column("users", "password_hash", nullable=False)
    op.drop_table("identities")
