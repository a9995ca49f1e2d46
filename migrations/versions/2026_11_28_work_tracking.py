"""What the core of work tracking needs: order, subtasks, relations, watchers, transitions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _digit(value: str, place: int) -> str:
    return f"substr('{_DIGITS}', ({value}) / {62**place} % 62 + 1, 1)"


def _key_of_number() -> str:
    """As `core.ordering.key_of`, for numbers of up to four digits to the base of 62."""
    cases, first = [], 0
    for length, head in enumerate("abcd", start=1):
        digits = " || ".join(_digit(f"number - {first}", place) for place in reversed(range(length)))
        first += 62**length
        cases.append(f"WHEN number < {first} THEN '{head}' || {digits}")
    return f"CASE {' '.join(cases)} END"


def upgrade() -> None:
    op.create_table(
        "transitions",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("to_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id", "from_id"],
            ["statuses.workspace_id", "statuses.project_id", "statuses.id"],
            name=op.f("fk_transitions_workspace_id_project_id_from_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id", "to_id"],
            ["statuses.workspace_id", "statuses.project_id", "statuses.id"],
            name=op.f("fk_transitions_workspace_id_project_id_to_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_transitions_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "project_id", "from_id", "to_id", name=op.f("pk_transitions")
        ),
    )
    op.create_table(
        "former_keys",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            name=op.f("fk_former_keys_workspace_id_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_former_keys_workspace_id_task_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_former_keys_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "project_id", "number", name=op.f("pk_former_keys")),
    )
    op.create_index(
        op.f("ix_former_keys_workspace_id_task_id"), "former_keys", ["workspace_id", "task_id"], unique=False
    )
    op.create_table(
        "relations",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "blocks",
                "relates",
                "duplicates",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("to_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("from_id <> to_id", name=op.f("ck_relations_not_to_itself")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "from_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_relations_workspace_id_from_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "to_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_relations_workspace_id_to_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_relations_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_relations")),
        sa.UniqueConstraint(
            "workspace_id",
            "from_id",
            "kind",
            "to_id",
            name=op.f("uq_relations_workspace_id_from_id_kind_to_id"),
        ),
    )
    op.create_index(op.f("ix_relations_id"), "relations", ["id"], unique=True)
    op.create_index(
        op.f("ix_relations_workspace_id_to_id"), "relations", ["workspace_id", "to_id"], unique=False
    )
    op.create_table(
        "watchers",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "task_id"],
            ["tasks.workspace_id", "tasks.id"],
            name=op.f("fk_watchers_workspace_id_task_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_watchers_workspace_id_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_watchers_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "task_id", "user_id", name=op.f("pk_watchers")),
    )
    op.create_index(
        op.f("ix_watchers_workspace_id_user_id"), "watchers", ["workspace_id", "user_id"], unique=False
    )
    op.alter_column("labels", "project_id", existing_type=sa.UUID(), nullable=True)
    op.drop_index(op.f("uq_labels_name"), table_name="labels")
    op.create_index(
        "uq_labels_name",
        "labels",
        ["workspace_id", "project_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.add_column("statuses", sa.Column("color", sa.Text(), nullable=False, server_default="#8c8c8c"))
    op.execute("UPDATE statuses SET color = '#0969da' WHERE category = 'in_progress'")
    op.execute("UPDATE statuses SET color = '#1a7f37' WHERE category = 'done'")
    op.alter_column("statuses", "color", server_default=None)
    op.add_column(
        "statuses", sa.Column("is_restricted", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.alter_column("statuses", "is_restricted", server_default=None)
    op.add_column("tasks", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column("tasks", sa.Column("position", sa.Text(collation="C"), nullable=True))
    op.execute(f"UPDATE tasks SET position = {_key_of_number()}")  # noqa: S608 (our own words)
    op.alter_column("tasks", "position", nullable=False)
    op.add_column(
        "tasks",
        sa.Column("recurrence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
    op.add_column("tasks", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_tasks_parent",
        "tasks",
        ["workspace_id", "parent_id"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_unique_constraint(
        op.f("uq_tasks_workspace_id_project_id_position"), "tasks", ["workspace_id", "project_id", "position"]
    )
    op.create_foreign_key(
        op.f("fk_tasks_workspace_id_parent_id"),
        "tasks",
        "tasks",
        ["workspace_id", "parent_id"],
        ["workspace_id", "id"],
        ondelete="SET NULL (parent_id)",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_tasks_workspace_id_parent_id"), "tasks", type_="foreignkey")
    op.drop_constraint(op.f("uq_tasks_workspace_id_project_id_position"), "tasks", type_="unique")
    op.drop_index("ix_tasks_parent", table_name="tasks", postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.drop_column("tasks", "archived_at")
    op.drop_column("tasks", "recurrence")
    op.drop_column("tasks", "position")
    op.drop_column("tasks", "parent_id")
    op.drop_column("statuses", "is_restricted")
    op.drop_column("statuses", "color")
    op.execute("DELETE FROM labels WHERE project_id IS NULL")
    op.drop_index("uq_labels_name", table_name="labels")
    op.create_index(
        op.f("uq_labels_name"),
        "labels",
        ["workspace_id", "project_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.alter_column("labels", "project_id", existing_type=sa.UUID(), nullable=False)
    op.drop_index(op.f("ix_watchers_workspace_id_user_id"), table_name="watchers")
    op.drop_table("watchers")
    op.drop_index(op.f("ix_relations_workspace_id_to_id"), table_name="relations")
    op.drop_index(op.f("ix_relations_id"), table_name="relations")
    op.drop_table("relations")
    op.drop_index(op.f("ix_former_keys_workspace_id_task_id"), table_name="former_keys")
    op.drop_table("former_keys")
    op.drop_table("transitions")
