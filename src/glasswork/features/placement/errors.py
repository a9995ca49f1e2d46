from glasswork.core.errors import ValidationError


def unknown_neighbour() -> ValidationError:
    return ValidationError.at(
        ["body", "after_id"], "must be another task of the same project", "unknown_task"
    )


def unknown_project() -> ValidationError:
    return ValidationError.at(
        ["body", "project_id"], "must be a project of the task's workspace", "unknown_project"
    )
