from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError


class ArchiveNotFoundError(NotFoundError):
    code = "ARCHIVE_NOT_FOUND"

    def __init__(self, archive_id: UUID) -> None:
        super().__init__(f"There is no archive {archive_id}.")


class ArchiveNotReadyError(ConflictError):
    code = "ARCHIVE_NOT_READY"

    def __init__(self, status: str) -> None:
        super().__init__(f"The archive is {status}: it has no content.", status=status)


class BrokenFileError(Exception):
    """The store has lost it, or a part of it: no archive can be made before the attachment is deleted."""

    def __init__(self, attachment_id: UUID) -> None:
        super().__init__(f"the file of the attachment {attachment_id} is not as it was stored")


class ArchiveUnderWayError(ConflictError):
    code = "ARCHIVE_UNDER_WAY"

    def __init__(self, archive_id: UUID) -> None:
        super().__init__("Another archive of the workspace is being made.", archive_id=str(archive_id))
