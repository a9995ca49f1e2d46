from uuid import UUID

from glasswork.features.workspaces.models import Role

from .models import Comment


def can_write(role: Role) -> bool:
    """Say something, and react to what others say."""
    return role.reaches(Role.MEMBER)


def can_edit(role: Role, comment: Comment, user_id: UUID) -> bool:
    """Nobody puts words into another one's mouth."""
    return can_write(role) and comment.author_id == user_id


def can_delete(role: Role, comment: Comment, user_id: UUID) -> bool:
    """And restore."""
    return can_edit(role, comment, user_id) or role.reaches(Role.ADMIN)
