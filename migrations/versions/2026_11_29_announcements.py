"""Announcements, their letters, and kept mail of which one job may write many."""

import sqlalchemy as sa
from alembic import op

from glasswork.core.row_security import policies

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_STATUSES = ("queued", "sending", "sent")
_STATES = ("waiting", "sending", "sent", "failed", "unsure")


def upgrade() -> None:
    _create_announcements()
    _create_letters()
    op.add_column(
        "kept_mails",
        sa.Column("letter_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.drop_constraint("pk_kept_mails", "kept_mails")
    op.create_primary_key("pk_kept_mails", "kept_mails", ["job_id", "letter_id"])


def _create_announcements() -> None:
    op.create_table(
        "announcements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", _enum("announcementstatus", _STATUSES), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("total", "sent", "failed", "unsure", "skipped")
        ),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_announcements_created_by")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_announcements_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
    )
    op.create_index(
        op.f("ix_announcements_workspace_id_created_at_id"),
        "announcements",
        ["workspace_id", "created_at", "id"],
    )
    # The installation's have no workspace: nobody but the system writes them.
    for statement in policies("announcements"):
        op.execute(statement)


def _create_letters() -> None:
    op.create_table(
        "announcement_letters",
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("state", _enum("letterstate", _STATES), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["announcements.id"],
            name=op.f("fk_announcement_letters_announcement_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_announcement_letters_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("announcement_id", "user_id", name=op.f("pk_announcement_letters")),
    )
    op.create_index(op.f("ix_announcement_letters_user_id"), "announcement_letters", ["user_id"])
    op.create_index(
        op.f("ix_announcement_letters_announcement_id_state_due_at"),
        "announcement_letters",
        ["announcement_id", "state", "due_at"],
    )
    for statement in policies("announcement_letters", "false"):
        op.execute(statement)


def _enum(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def downgrade() -> None:
    op.drop_constraint("pk_kept_mails", "kept_mails")
    op.drop_column("kept_mails", "letter_id")
    op.create_primary_key("pk_kept_mails", "kept_mails", ["job_id"])
    op.drop_table("announcement_letters")
    op.drop_table("announcements")
