"""Comments that the actor may see, as the API shows them."""

from typing import Any

from sqlalchemy import ARRAY, JSON, Uuid, and_, case, func, literal, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from glasswork.features.projects.access import access
from glasswork.features.tasks.models import Task

from .models import Comment, CommentReaction

_Reply = aliased(Comment)
_STANDS = Comment.deleted_at.is_(None)
_HAS_REPLIES = (
    select(_Reply.id)
    .where(
        _Reply.workspace_id == Comment.workspace_id,
        _Reply.reply_to_id == Comment.id,
        _Reply.deleted_at.is_(None),
    )
    .exists()
)
_kinds = (
    select(
        CommentReaction.reaction,
        func.array_agg(aggregate_order_by(CommentReaction.user_id, CommentReaction.user_id)).label(
            "user_ids"
        ),
    )
    .where(
        CommentReaction.workspace_id == Comment.workspace_id,
        CommentReaction.comment_id == Comment.id,
        _STANDS,
    )
    .group_by(CommentReaction.reaction)
    .correlate(Comment)
    .subquery("kinds")
)
_kind = func.json_build_object("reaction", _kinds.c.reaction, "user_ids", _kinds.c.user_ids)
_REACTIONS = type_coerce(
    select(func.coalesce(func.json_agg(aggregate_order_by(_kind, _kinds.c.reaction)), literal([], JSON)))
    .select_from(_kinds)
    .scalar_subquery(),
    JSON,
)


def _while_it_stands(value: Any, otherwise: Any = None) -> Any:
    return case((_STANDS, value), else_=otherwise)


COMMENTS = (
    select(
        Comment.id,
        Comment.workspace_id,
        Comment.task_id,
        Comment.reply_to_id,
        Comment.author_id,
        _while_it_stands(Comment.body).label("body"),
        _while_it_stands(Comment.mentions, literal([], ARRAY(Uuid()))).label("mentions"),
        _REACTIONS.label("reactions"),
        Comment.external,
        Comment.version,
        Comment.created_at,
        Comment.updated_at,
        Comment.edited_at,
        Comment.deleted_at,
    )
    .join(Task, and_(Task.workspace_id == Comment.workspace_id, Task.id == Comment.task_id))
    .join(access, access.c.project_id == Task.project_id)
    .where(Task.deleted_at.is_(None), or_(_STANDS, _HAS_REPLIES))
)
"""As rows of `CommentRead`; of a deleted one only its place is left, and that while it has replies."""

COMMENTS_IN_HTML = COMMENTS.add_columns(_while_it_stands(Comment.body_html).label("body_html"))
