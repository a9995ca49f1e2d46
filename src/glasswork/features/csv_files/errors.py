from collections.abc import Sequence

from glasswork.core.errors import ValidationError


class UnknownColumnsError(ValidationError):
    code = "UNKNOWN_COLUMNS"

    def __init__(self, unknown: Sequence[str], columns: Sequence[str]) -> None:
        super().__init__(f"The file has no column {', '.join(unknown)}; it has {', '.join(columns)}.")


class NoHeaderError(ValidationError):
    code = "NO_HEADER"

    def __init__(self, encoding: str) -> None:
        super().__init__(f"The file has no first line, in {encoding}, that names its columns.")
