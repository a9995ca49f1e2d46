"""Archives of workspaces."""

import sqlalchemy as sa
from alembic import op

from glasswork.core.row_security import policies

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_STATUSES = ("queued", "running", "completed", "failed")


def upgrade() -> None:
    now, in_a_week = sa.text("now()"), sa.text("now() + interval '7 days'")
    op.create_table(
        "archives",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(*_STATUSES, name="archivestatus", native_enum=False, create_constraint=True, length=32),
            server_default="queued",
            nullable=False,
        ),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), server_default=in_a_week, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["stored_objects.id"], name=op.f("fk_archives_object_id")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "created_by"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_archives_workspace_id_created_by"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_archives_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_archives")),
        sa.UniqueConstraint("object_id", name=op.f("uq_archives_object_id")),
    )
    op.create_index(op.f("ix_archives_id"), "archives", ["id"], unique=True)
    op.create_index(op.f("ix_archives_expires_at"), "archives", ["expires_at"])
    op.create_index(
        op.f("ix_archives_workspace_id_created_at_id"), "archives", ["workspace_id", "created_at", "id"]
    )
    for statement in policies("archives"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("archives")
