from glasswork.core.errors import ConflictError, NotFoundError


class JobNotFoundError(NotFoundError):
    code = "JOB_NOT_FOUND"

    def __init__(self, job_id: int) -> None:
        super().__init__(f"There is no job {job_id}, or it is done.")


class JobNotDeadError(ConflictError):
    code = "JOB_NOT_DEAD"

    def __init__(self, job_id: int) -> None:
        super().__init__(f"Job {job_id} is not dead: it is waiting or at work.")
