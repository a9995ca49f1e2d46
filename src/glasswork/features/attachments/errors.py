from uuid import UUID

from glasswork.core.errors import InsufficientStorageError, NotFoundError, PreconditionFailedError


class AttachmentNotFoundError(NotFoundError):
    code = "ATTACHMENT_NOT_FOUND"

    def __init__(self, attachment_id: UUID) -> None:
        super().__init__(f"There is no attachment {attachment_id}.")


class ThumbnailNotFoundError(NotFoundError):
    code = "THUMBNAIL_NOT_FOUND"

    def __init__(self, attachment_id: UUID) -> None:
        super().__init__(f"The attachment {attachment_id} has no thumbnail, or not yet.")


class LinkNotFoundError(NotFoundError):
    """One that was never given, that has expired, or whose file is gone: they look alike."""

    code = "LINK_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such link, or there is none any more.")


class NameTakenError(PreconditionFailedError):
    code = "NAME_TAKEN"

    def __init__(self, name: str) -> None:
        super().__init__(f"The task has an attachment {name!r}.")


class NameFreeError(PreconditionFailedError):
    code = "NAME_FREE"

    def __init__(self, name: str) -> None:
        super().__init__(f"The task has no attachment {name!r}.")


class QuotaExceededError(InsufficientStorageError):
    code = "QUOTA_EXCEEDED"

    def __init__(self, used: int, quota: int) -> None:
        super().__init__("The workspace has no room left for this file.", used=used, quota=quota)
