from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Output, ProjectId, StatusId
from glasswork.features.projects.models import Category


class StatusRead(Output):
    id: StatusId
    project_id: ProjectId
    key: str
    name: str
    category: Category
    position: int


class StatusQuery(PageQuery):
    sort: str = sort_by("position", default="position")
