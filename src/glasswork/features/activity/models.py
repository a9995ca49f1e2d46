"""What finds the events of things that are gone: their rows, which told the task, went with them."""

from sqlalchemy import ColumnElement, Index, Text, func, literal_column

from glasswork.core.events import WorkspaceEvent
from glasswork.features.attachments.events import AttachmentDeleted
from glasswork.features.links.events import LinkDeleted
from glasswork.features.relations.events import RelationDeleted


def _constant(word: str) -> ColumnElement[str]:
    """A plan that is made for any parameters uses no index that needs these."""
    return literal_column(f"'{word}'", Text())


def _was(field: str) -> ColumnElement[str]:
    return WorkspaceEvent.before.op("->>", return_type=Text())(_constant(field))


GONE = WorkspaceEvent.type.in_(
    [_constant(event.type) for event in (AttachmentDeleted, RelationDeleted, LinkDeleted)]
)
GONE_FROM = func.coalesce(_was("task_id"), _was("from_id"))
"""The id of the task, as text."""
GONE_TO = _was("to_id")
"""That of a relation's other one."""

Index("ix_workspace_events_gone_from", WorkspaceEvent.workspace_id, GONE_FROM, postgresql_where=GONE)
Index("ix_workspace_events_gone_to", WorkspaceEvent.workspace_id, GONE_TO, postgresql_where=GONE)
