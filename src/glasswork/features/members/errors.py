from glasswork.core.errors import ConflictError


class LastOwnerError(ConflictError):
    code = "LAST_OWNER"

    def __init__(self) -> None:
        super().__init__("A workspace keeps at least one owner.")
