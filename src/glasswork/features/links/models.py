from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import TenantEntity


class LinkKind(StrEnum):
    WEB = "web"
    COMMIT = "commit"
    PULL_REQUEST = "pull_request"


class TaskLink(TenantEntity):
    """What stands elsewhere about a task, which has one to each address."""

    __tablename__ = "task_links"

    task_id: Mapped[UUID] = mapped_column()
    kind: Mapped[LinkKind]
    url: Mapped[str]
    title: Mapped[str | None]
    created_by: Mapped[UUID]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        UniqueConstraint("workspace_id", "task_id", "url"),
    )
