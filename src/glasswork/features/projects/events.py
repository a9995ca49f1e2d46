from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import LabelRead, ProjectRead


class _OfProject(Event):
    schema = ProjectRead


class ProjectCreated(_OfProject, Created):
    type = "project.created"


class ProjectUpdated(_OfProject, Updated):
    type = "project.updated"


class ProjectDeleted(_OfProject, Deleted):
    type = "project.deleted"


class _OfLabel(Event):
    schema = LabelRead


class LabelCreated(_OfLabel, Created):
    type = "label.created"


class LabelUpdated(_OfLabel, Updated):
    type = "label.updated"


class LabelDeleted(_OfLabel, Deleted):
    type = "label.deleted"
