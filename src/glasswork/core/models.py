"""The base of every table."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Enum, ForeignKey, Integer, MetaData, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        str: Text(),
        StrEnum: Enum(
            StrEnum,
            native_enum=False,
            create_constraint=True,
            length=32,
            values_callable=lambda members: [member.value for member in members],
        ),
    }


class Record(Base):
    """A row with a version: the ETag of what the API shows of it."""

    __abstract__ = True

    version: Mapped[int] = mapped_column(Integer, sort_order=90)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=91)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.now(), sort_order=92
    )

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        # An UPDATE names the version it read in its WHERE, raises it, and returns what the database set.
        return {"version_id_col": cls.version, "eager_defaults": True}

    def change(self, fields: dict[str, Any]) -> None:
        """The schema of the input is the allow-list of fields."""
        for name, value in fields.items():
            setattr(self, name, value)

    def touch(self) -> None:
        """Raise the version although no column changed, because what the API shows did."""
        self.updated_at = func.now()


class Entity(Record):
    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-10)


class TenantEntity(Record):
    """A row of a workspace: its keys carry the workspace, so that no reference can cross tenants."""

    __abstract__ = True

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, sort_order=-20
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, index=True, unique=True, sort_order=-10)
