from glasswork.core.errors import ConflictError, ValidationError


class UnreadableArchiveError(ValidationError):
    """Names the entry, and the line where there is one; nothing of the file is kept."""

    code = "UNREADABLE_ARCHIVE"


class NewerArchiveError(ConflictError):
    code = "NEWER_ARCHIVE"

    def __init__(self, revision: str, ours: str | None) -> None:
        super().__init__(
            f"The archive was made by a newer version: its schema is at {revision}, the one here at {ours}."
        )
