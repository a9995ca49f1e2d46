"""Imports from other trackers, and what was wrong with their records."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from glasswork.core.row_security import policies

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_STATUSES = ("awaiting_file", "queued", "checking", "storing", "checked", "completed", "failed")
_FORMATS = ("csv", "github_archive", "todoist", "trello", "github")
_COUNTS = ("highest", "done", "tasks", "tasks_there", "comments", "comments_there", "labels", "faults")


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("format", _enum("importformat", *_FORMATS), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("project_id", sa.Uuid()),
        sa.Column("project_key", sa.Text()),
        sa.Column("on_error", _enum("onerror", "skip", "stop"), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("object_id", sa.Uuid()),
        sa.Column("secret", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.Column("size", sa.Integer()),
        sa.Column("status", _enum("importstatus", *_STATUSES), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("position", postgresql.JSONB()),
        sa.Column("total", sa.Integer()),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.Column("error_code", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("waiting_until", sa.DateTime(timezone=True)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["stored_objects.id"], name=op.f("fk_imports_object_id")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "created_by"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_imports_workspace_id_created_by"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            name=op.f("fk_imports_workspace_id_project_id"),
            ondelete="SET NULL (project_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_imports_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_imports")),
        sa.UniqueConstraint("object_id", name=op.f("uq_imports_object_id")),
    )
    op.create_index(op.f("ix_imports_id"), "imports", ["id"], unique=True)
    op.create_index(op.f("ix_imports_workspace_id_project_id"), "imports", ["workspace_id", "project_id"])
    op.create_table(
        "import_faults",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "import_id"],
            ["imports.workspace_id", "imports.id"],
            name=op.f("fk_import_faults_workspace_id_import_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_import_faults_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "import_id", "number", name=op.f("pk_import_faults")),
    )
    for table in ("imports", "import_faults"):
        for statement in policies(table):
            op.execute(statement)


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def downgrade() -> None:
    op.drop_table("import_faults")
    op.drop_table("imports")
