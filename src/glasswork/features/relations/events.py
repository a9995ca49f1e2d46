from glasswork.core.events import Created, Deleted, Event

from .schemas import RelationStored


class _OfRelation(Event):
    schema = RelationStored


class RelationCreated(_OfRelation, Created):
    type = "relation.created"


class RelationDeleted(_OfRelation, Deleted):
    type = "relation.deleted"
