from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Input, UserId, optional
from glasswork.features.workspaces.models import Role


class MemberUpdate(Input):
    role: Role = optional()


class MemberQuery(PageQuery):
    sort: str = sort_by("username", "created_at", default="username")


class OwnershipTransfer(Input):
    user_id: UserId = Field(description="The member who becomes an owner in my place.")
