from glasswork.core.errors import InsufficientStorageError, PreconditionFailedError


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
