from typing import Final

from glasswork.core.errors import ValidationError

_REASONS: Final = {
    301: "The repository has another name by now; use that one.",
    401: "GitHub does not accept the token.",
    403: "GitHub does not allow this, or not with this token.",
    404: "There is no such repository, or a token is needed that may see it.",
    410: "The repository has no issues.",
    451: "GitHub may not show the repository, for legal reasons.",
}


class GithubRefusedError(ValidationError):
    """To ask again would not help."""

    code = "GITHUB_REFUSED"

    def __init__(self, status: int) -> None:
        status = 301 if status in {302, 307, 308} else status
        super().__init__(_REASONS.get(status, f"GitHub does not answer as it should: {status}."))


class OddAnswerError(ValidationError):
    code = "GITHUB_ODD_ANSWER"

    def __init__(self, what: str) -> None:
        super().__init__(f"GitHub does not answer as it should: {what}.")
