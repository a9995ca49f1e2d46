from typing import ClassVar, Self

from pydantic import BaseModel

from glasswork.core.actor import Actor
from glasswork.core.events import Event, Fields

from .schemas import LevelSet, View


class _OfOperator(Event):
    """The subject is whoever did it."""

    schema: ClassVar[type[BaseModel]] = View

    @classmethod
    def by(cls, actor: Actor, told: BaseModel) -> Self:
        after: Fields = told.model_dump(mode="json")
        return cls(workspace_id=None, subject_id=actor.user_id, after=after)


class PageViewed(_OfOperator):
    type = "operations.viewed"


class LevelChanged(_OfOperator):
    type = "operations.level_set"
    schema = LevelSet
