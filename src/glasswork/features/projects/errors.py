from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError


class ProjectNotFoundError(NotFoundError):
    code = "PROJECT_NOT_FOUND"

    def __init__(self, project_id: UUID) -> None:
        super().__init__(f"There is no project {project_id}.")


class ProjectKeyTakenError(ConflictError):
    code = "PROJECT_KEY_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is a project with this key in the workspace.")


class LabelNotFoundError(NotFoundError):
    code = "LABEL_NOT_FOUND"

    def __init__(self, label_id: UUID) -> None:
        super().__init__(f"There is no label {label_id}.")


class LabelNameTakenError(ConflictError):
    code = "LABEL_NAME_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is a label with this name there.")
