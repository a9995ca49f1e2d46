from glasswork.core.errors import ValidationError


class NoBoardError(ValidationError):
    code = "NO_TRELLO_BOARD"

    def __init__(self) -> None:
        super().__init__("The file is no board of Trello: it has no `id`, `name` and `cards`.")


class BoardTooLargeError(ValidationError):
    code = "TRELLO_BOARD_TOO_LARGE"

    def __init__(self, most: int) -> None:
        super().__init__(f"The board has more than {most:,} lists, members, fields and checklist items.")
