from glasswork.core.errors import ValidationError


class NoArchiveError(ValidationError):
    code = "NO_GITHUB_ARCHIVE"

    def __init__(self) -> None:
        super().__init__(
            "The file is no archive of a GitHub repository, with its `repo`, `issues` and `pulls`."
        )
