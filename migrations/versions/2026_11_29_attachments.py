"""Files of tasks, and the ledger of what lies in the store."""

import sqlalchemy as sa
from alembic import op

from glasswork.core.row_security import policies

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stored_objects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "announced_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_objects")),
    )
    op.create_index(op.f("ix_stored_objects_announced_at"), "stored_objects", ["announced_at"])
    op.create_table(
        "attachments",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("thumbnail_id", sa.Uuid(), nullable=True),
        sa.Column("thumbnail_size", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *(
            sa.ForeignKeyConstraint([column], ["stored_objects.id"], name=op.f(f"fk_attachments_{column}"))
            for column in ("object_id", "thumbnail_id")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "created_by"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_attachments_workspace_id_created_by"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_attachments_workspace_id_task_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_attachments_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("object_id", name=op.f("uq_attachments_object_id")),
        sa.UniqueConstraint("thumbnail_id", name=op.f("uq_attachments_thumbnail_id")),
        sa.UniqueConstraint(
            "workspace_id", "task_id", "name", name=op.f("uq_attachments_workspace_id_task_id_name")
        ),
    )
    op.create_index(op.f("ix_attachments_id"), "attachments", ["id"], unique=True)
    op.create_index("ix_attachments_usage", "attachments", ["workspace_id"], postgresql_include=["size"])
    for statement in policies("attachments"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("attachments")
    op.drop_table("stored_objects")
