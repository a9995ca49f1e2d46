from glasswork.core.errors import ConflictError


class AdminExistsError(ConflictError):
    code = "ADMIN_EXISTS"

    def __init__(self) -> None:
        super().__init__("This installation has an admin, who can make others admins too.")
