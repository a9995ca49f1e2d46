"""What people say about tasks, and how others react to it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from glasswork.core.row_security import policies

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_comments()
    _create_reactions()
    for table in ("comments", "comment_reactions"):
        for statement in policies(table):
            op.execute(statement)


def _create_comments() -> None:
    op.create_table(
        "comments",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("reply_to_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("mentions", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("external", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_comments_workspace_id_task_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "reply_to_id"],
            ["comments.workspace_id", "comments.id"],
            name=op.f("fk_comments_workspace_id_reply_to_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "author_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_comments_workspace_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_comments_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_comments")),
    )
    op.create_index(op.f("ix_comments_id"), "comments", ["id"], unique=True)
    op.create_index(op.f("ix_comments_task_id_created_at_id"), "comments", ["task_id", "created_at", "id"])
    op.create_index(
        "ix_comments_replies",
        "comments",
        ["reply_to_id", "created_at", "id"],
        postgresql_where=sa.text("reply_to_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_comments_author_id_id"), "comments", ["author_id", "id"])
    op.create_index(
        "uq_comments_external",
        "comments",
        ["workspace_id", "task_id", sa.text("(external ->> 'source')"), sa.text("(external ->> 'id')")],
        unique=True,
        postgresql_where=sa.text("external IS NOT NULL"),
    )


def _create_reactions() -> None:
    op.create_table(
        "comment_reactions",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column(
            "reaction",
            sa.Enum(
                *("thumbs_up", "thumbs_down", "laugh", "hooray", "confused", "heart", "rocket", "eyes"),
                name="reaction",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "comment_id"],
            ["comments.workspace_id", "comments.id"],
            name=op.f("fk_comment_reactions_workspace_id_comment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_comment_reactions_workspace_id_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_comment_reactions_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            *("workspace_id", "comment_id", "reaction", "user_id"), name=op.f("pk_comment_reactions")
        ),
    )
    op.create_index(
        op.f("ix_comment_reactions_user_id_comment_id"), "comment_reactions", ["user_id", "comment_id"]
    )


def downgrade() -> None:
    op.drop_table("comment_reactions")
    op.drop_table("comments")
