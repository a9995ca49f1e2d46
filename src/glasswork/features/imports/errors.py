from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, ValidationError


class ImportNotFoundError(NotFoundError):
    code = "IMPORT_NOT_FOUND"

    def __init__(self, import_id: UUID) -> None:
        super().__init__(f"There is no import {import_id}.")


class ImportUnderWayError(ConflictError):
    code = "IMPORT_UNDER_WAY"

    def __init__(self) -> None:
        super().__init__("The import is under way, or is done.")


class NoFileError(ConflictError):
    code = "NO_FILE"

    def __init__(self) -> None:
        super().__init__("The import has no file yet.")


class TooManyImportsError(ConflictError):
    code = "TOO_MANY_IMPORTS"

    def __init__(self, most: int) -> None:
        super().__init__(f"The workspace has {most} imports that are not done; end or delete one.")


class BrokenRecordsError(ValidationError):
    """Of an import that was to stop at such; nothing of it is stored."""

    code = "BROKEN_RECORDS"

    def __init__(self, count: int) -> None:
        super().__init__(f"Broken records: {count}. Nothing is imported.")


class TokenLostError(ValidationError):
    code = "TOKEN_LOST"

    def __init__(self) -> None:
        super().__init__("The token cannot be read any more; start again with it.")


def project_needed() -> ValidationError:
    message = "one of project_id and project_key is needed"
    return ValidationError.at(["body", "project_id"], message, "project_needed")


def one_project() -> ValidationError:
    return ValidationError.at(["body", "project_key"], "there is project_id already", "one_project")


def unknown_project() -> ValidationError:
    return ValidationError.at(["body", "project_id"], "must be a project of the workspace", "unknown_project")


def token_not_taken() -> ValidationError:
    return ValidationError.at(["body", "token"], "is for `github` alone", "token_not_taken")
