from uuid import UUID

from glasswork.core.errors import NotFoundError, ValidationError


class HookNotFoundError(NotFoundError):
    code = "HOOK_NOT_FOUND"

    def __init__(self, hook_id: UUID) -> None:
        super().__init__(f"There is no hook {hook_id}.")


def unknown_project() -> ValidationError:
    return ValidationError.at(["body", "project_id"], "must be a project of the workspace", "unknown_project")


def project_needed() -> ValidationError:
    return ValidationError.at(["body", "project_id"], "a hook of this kind needs one", "needed_by_kind")


def mapping_not_taken() -> ValidationError:
    return ValidationError.at(["body", "mapping"], "a hook of this kind has none", "not_of_kind")
