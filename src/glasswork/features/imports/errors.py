from glasswork.core.errors import ValidationError


class BrokenArchiveError(ValidationError):
    """Names the line or the record; nothing of the file is imported."""

    code = "BROKEN_ARCHIVE"
