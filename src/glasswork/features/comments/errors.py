from uuid import UUID

from glasswork.core.errors import NotFoundError, ValidationError


class CommentNotFoundError(NotFoundError):
    code = "COMMENT_NOT_FOUND"

    def __init__(self, comment_id: UUID) -> None:
        super().__init__(f"There is no comment {comment_id}.")


def unknown_comment() -> ValidationError:
    return ValidationError.at(
        ["body", "reply_to_id"],
        "must be a comment of the same task that is no reply itself",
        "unknown_comment",
    )
