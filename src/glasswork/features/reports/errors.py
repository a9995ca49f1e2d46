from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, ValidationError


class ReportNotFoundError(NotFoundError):
    code = "REPORT_NOT_FOUND"

    def __init__(self, report_id: UUID) -> None:
        super().__init__(f"There is no report {report_id}.")


class ReportNotCompletedError(ConflictError):
    code = "REPORT_NOT_COMPLETED"

    def __init__(self, status: str) -> None:
        super().__init__(f"The report is {status}: there is nothing to show of it.", status=status)


class TooManyReportsError(ConflictError):
    code = "TOO_MANY_REPORTS"

    def __init__(self, most: int) -> None:
        super().__init__(f"A workspace has {most} reports at most; delete one, or wait until one expires.")


def ends_before_it_begins() -> ValidationError:
    return ValidationError.at(["body", "last_day"], "must not lie before first_day", "before_first_day")


def too_long(most_days: int) -> ValidationError:
    return ValidationError.at(["body", "last_day"], f"the period has {most_days} days at most", "too_long")
