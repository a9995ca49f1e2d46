"""What has happened: an event for each change of one thing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import BigInteger, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Event:
    """A slice's events.py subclasses `Created`, `Updated` and `Deleted` with a type and a schema.

    `created` holds the whole resource in `after`, `updated` what changed on both sides, and in `deleted`
    nothing comes after. An event without a workspace is the installation's.
    """

    schema: ClassVar[type[BaseModel]]
    type: ClassVar[str]

    workspace_id: UUID | None
    subject_id: UUID
    before: Fields | None = None
    after: Fields | None = None

    @classmethod
    def show(cls, resource: Any) -> Fields:
        """What the API shows of the resource, as JSON values."""
        fields: Fields = cls.schema.model_validate(resource).model_dump(mode="json")
        return fields

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": resource.workspace_id, "subject_id": resource.id}


class Created(Event):
    @classmethod
    def of(cls, resource: Any) -> Self:
        return cls(**cls.ids(resource), after=cls.show(resource))


class Updated(Event):
    @classmethod
    def between(cls, before: Fields, resource: Any) -> Self | None:
        """None where nothing that the API shows has changed: then nothing has happened."""
        after = cls.show(resource)
        changed = [name for name in after if before[name] != after[name]]
        if not changed:
            return None
        was, is_ = ({name: fields[name] for name in changed} for fields in (before, after))
        return cls(**cls.ids(resource), before=was, after=is_)


class Deleted(Event):
    @classmethod
    def of(cls, resource: Any) -> Self:
        return cls(**cls.ids(resource), before=cls.show(resource))


class _EventColumns(Base):
    __abstract__ = True

    type: Mapped[str]
    subject_id: Mapped[UUID]
    actor_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    api_token_id: Mapped[UUID | None]
    request_id: Mapped[str]
    traceparent: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class WorkspaceEvent(_EventColumns):
    """`seq` grows by one with each of the workspace, in the order in which they were committed."""

    __tablename__ = "workspace_events"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, sort_order=-2
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, sort_order=-1)
    id: Mapped[UUID] = mapped_column(unique=True, index=True)

    __table_args__ = (
        Index(None, "workspace_id", "subject_id", "seq"),
        Index(None, "workspace_id", "at", "seq"),
        Index(None, "workspace_id", "actor_id", "at", "seq"),
        Index(None, "workspace_id", "type", "at", "seq"),
    )


class EventCounter(Base):
    """The `seq` of a workspace's last event; whoever takes the next one holds it until the commit."""

    __tablename__ = "event_counters"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    last_seq: Mapped[int] = mapped_column(BigInteger)


class InstallationEvent(_EventColumns):
    """Of accounts, which belong to no workspace."""

    __tablename__ = "installation_events"

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)

    __table_args__ = (
        Index(None, "at", "id"),
        Index(None, "actor_id", "at", "id"),
        Index(None, "type", "at", "id"),
        Index(None, "subject_id", "at", "id"),
    )


def event_types(kind: type[Event] = Event) -> set[str]:
    """Return the types of all events of the slices that are loaded."""
    own = {kind.type} if "type" in vars(kind) and kind.__module__.startswith("glasswork.") else set()
    return own.union(*map(event_types, kind.__subclasses__()))
