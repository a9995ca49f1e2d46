"""Reports, and the charts that are drawn for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from glasswork.core.row_security import policies

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_KINDS = ("burn_up", "cumulative_flow", "cycle_time", "throughput", "workload")
_FAILURES = ("too_many_tasks", "took_too_long", "not_computed", "abandoned")


def upgrade() -> None:
    _create_reports()
    _create_charts()
    for table in ("reports", "report_charts"):
        for statement in policies(table):
            op.execute(statement)


def _create_reports() -> None:
    op.create_table(
        "reports",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("status", _enum("status", ("queued", "running", "completed", "failed")), nullable=False),
        sa.Column("failure", _enum("failure", _FAILURES), nullable=True),
        sa.Column("numbers", JSONB(none_as_null=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "project_id"],
            ["projects.workspace_id", "projects.id"],
            name=op.f("fk_reports_workspace_id_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "created_by"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_reports_workspace_id_created_by"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_reports_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_reports")),
    )
    op.create_index(op.f("ix_reports_id"), "reports", ["id"], unique=True)
    for columns in (
        ["workspace_id", "created_at", "id"],
        ["project_id", "created_at", "id"],
        ["created_at"],
    ):
        op.create_index(op.f(f"ix_reports_{'_'.join(columns)}"), "reports", columns)


def _create_charts() -> None:
    op.create_table(
        "report_charts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("kind", _enum("kind", _KINDS), nullable=False),
        sa.Column("svg", sa.Text(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "report_id"],
            ["reports.workspace_id", "reports.id"],
            name=op.f("fk_report_charts_workspace_id_report_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_report_charts_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "report_id", "kind", name=op.f("pk_report_charts")),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _enum(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def downgrade() -> None:
    op.drop_table("report_charts")
    op.drop_table("reports")
