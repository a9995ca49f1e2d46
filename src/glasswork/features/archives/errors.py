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


class ArchiveUnderWayError(ConflictError):
    code = "ARCHIVE_UNDER_WAY"

    def __init__(self, archive_id: UUID) -> None:
        super().__init__("Another archive of the workspace is being made.", archive_id=str(archive_id))
