"""Projects know the source that they were made for, and checks of imports what they have seen."""

import sqlalchemy as sa
from alembic import op

from glasswork.core import online_ddl
from glasswork.core.row_security import policies

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# The task with the lowest number tells: whoever adds one to what was imported gets a higher one.
_FILL = """
    DO $$
    DECLARE last uuid := '00000000-0000-0000-0000-000000000000';
    BEGIN
        LOOP
            WITH batch AS (
                SELECT id, workspace_id FROM projects WHERE id > last ORDER BY id LIMIT 1000
            ), filled AS (
                UPDATE projects SET source = first.source
                FROM batch CROSS JOIN LATERAL (
                    SELECT external ->> 'source' AS source FROM tasks
                    WHERE tasks.workspace_id = batch.workspace_id AND tasks.project_id = batch.id
                    ORDER BY number LIMIT 1
                ) AS first
                WHERE projects.id = batch.id AND projects.source IS NULL AND first.source IS NOT NULL
            )
            SELECT id INTO last FROM batch ORDER BY id DESC LIMIT 1;
            EXIT WHEN last IS NULL;
            COMMIT;
        END LOOP;
    END $$
"""


def upgrade() -> None:
    op.add_column("projects", sa.Column("source", sa.Text()), if_not_exists=True)
    with online_ddl.autocommit():
        op.execute(_FILL)
    op.add_column(
        "imports",
        sa.Column("is_key_derived", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "checked_records",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("kind", _enum("checkedkind", "task", "comment", "label"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "import_id"],
            ["imports.workspace_id", "imports.id"],
            name=op.f("fk_checked_records_workspace_id_import_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_checked_records_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "import_id", "kind", "name", name=op.f("pk_checked_records")),
    )
    for statement in policies("checked_records"):
        op.execute(statement)


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def downgrade() -> None:
    op.drop_table("checked_records")
    op.drop_column("imports", "is_key_derived")
    op.drop_column("projects", "source")
