from glasswork.core.events import Deleted, Updated
from glasswork.features.workspaces.events import OfMember


class MemberUpdated(OfMember, Updated):
    type = "member.updated"


class MemberDeleted(OfMember, Deleted):
    type = "member.deleted"
