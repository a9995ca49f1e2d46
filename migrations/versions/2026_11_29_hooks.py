"""Hooks for the messages of other programs, what they have taken, and links of tasks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from glasswork.core.row_security import policies

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_GONE = ("attachment.deleted", "relation.deleted")


def upgrade() -> None:
    _create_links()
    _create_hooks()
    _create_received_messages()
    _index_gone(*_GONE, "link.deleted")


def _create_links() -> None:
    op.create_table(
        "task_links",
        *_identity(),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("kind", _enum("kind", ("web", "commit", "pull_request")), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        *_origin(),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_task_links_workspace_id_task_id"),
            ondelete="CASCADE",
        ),
        *_keys("task_links"),
        sa.UniqueConstraint(
            "workspace_id", "task_id", "url", name=op.f("uq_task_links_workspace_id_task_id_url")
        ),
    )
    op.create_index(op.f("ix_task_links_id"), "task_links", ["id"], unique=True)
    _protect("task_links")


def _create_hooks() -> None:
    op.create_table(
        "hooks",
        *_identity(),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("kind", _enum("kind", ("github", "json")), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mapping", JSONB(none_as_null=True), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        *_origin(),
        sa.CheckConstraint(
            "kind <> 'json' OR (project_id IS NOT NULL AND mapping IS NOT NULL)",
            name=op.f("ck_hooks_json_says_where"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            name=op.f("fk_hooks_workspace_id_project_id"),
            ondelete="CASCADE",
        ),
        *_keys("hooks"),
    )
    op.create_index(op.f("ix_hooks_id"), "hooks", ["id"], unique=True)
    op.create_index(op.f("ix_hooks_workspace_id_project_id"), "hooks", ["workspace_id", "project_id"])
    _protect("hooks")


def _create_received_messages() -> None:
    op.create_table(
        "received_messages",
        *_identity(),
        sa.Column("hook_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=True),
        _moment("received_at"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "hook_id"],
            ["hooks.workspace_id", "hooks.id"],
            name=op.f("fk_received_messages_workspace_id_hook_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_received_messages_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_received_messages")),
        *(
            sa.UniqueConstraint(
                *("workspace_id", "hook_id", name),
                name=op.f(f"uq_received_messages_workspace_id_hook_id_{name}"),
            )
            for name in ("message_id", "signature")
        ),
    )
    op.create_index(op.f("ix_received_messages_id"), "received_messages", ["id"], unique=True)
    op.create_index(
        "ix_received_messages_dated",
        "received_messages",
        ["received_at"],
        postgresql_where=sa.text("signature IS NULL"),
    )
    _protect("received_messages")


def _index_gone(*types: str) -> None:
    """By what the activity of a task finds what is gone from it."""
    words = ", ".join(f"'{type_}'" for type_ in types)
    is_gone = sa.text(f"type IN ({words})")
    for name, task_id in (
        ("from", "coalesce(before ->> 'task_id', before ->> 'from_id')"),
        ("to", "(before ->> 'to_id')"),
    ):
        op.drop_index(f"ix_workspace_events_gone_{name}", "workspace_events")
        op.create_index(
            f"ix_workspace_events_gone_{name}",
            "workspace_events",
            ["workspace_id", sa.text(task_id)],
            postgresql_where=is_gone,
        )


def _identity() -> tuple[sa.Column[object], ...]:
    return tuple(sa.Column(name, sa.Uuid(), nullable=False) for name in ("workspace_id", "id"))


def _origin() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _keys(table: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(
            ["workspace_id", "created_by"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f(f"fk_{table}_workspace_id_created_by"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f(f"fk_{table}_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f(f"pk_{table}")),
    )


def _enum(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _protect(table: str) -> None:
    for statement in policies(table):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("received_messages")
    op.drop_table("hooks")
    op.drop_table("task_links")
    _index_gone(*_GONE)
