from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError, PermissionDeniedError


class OidcProviderNotFoundError(NotFoundError):
    code = "OIDC_PROVIDER_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no provider {name} here.")


class IdentityNotFoundError(NotFoundError):
    code = "IDENTITY_NOT_FOUND"

    def __init__(self, identity_id: UUID) -> None:
        super().__init__(f"You have no identity {identity_id}.")


class AccountDisabledError(PermissionDeniedError):
    code = "ACCOUNT_DISABLED"

    def __init__(self) -> None:
        super().__init__("This account is shut off.")


class EmailNotVerifiedError(PermissionDeniedError):
    code = "EMAIL_NOT_VERIFIED"

    def __init__(self) -> None:
        super().__init__("The provider does not vouch for an e-mail address of yours. Register, and link it.")


class AgeUnknownError(PermissionDeniedError):
    code = "AGE_UNKNOWN"

    def __init__(self, min_age: int) -> None:
        super().__init__(
            "A date of birth is needed to open an account. Register with yours, and link this identity.",
            min_age=min_age,
        )


class LinkRequiredError(ConflictError):
    code = "IDENTITY_LINK_REQUIRED"

    def __init__(self) -> None:
        super().__init__(
            "There is an account with this e-mail address. Log in there, and link this identity."
        )


class IdentityTakenError(ConflictError):
    code = "IDENTITY_TAKEN"

    def __init__(self) -> None:
        super().__init__("This identity belongs to an account already.")


class LastWayInError(ConflictError):
    code = "LAST_WAY_IN"

    def __init__(self) -> None:
        super().__init__("Without a password this is your last way in. Set one first: forgot-password.")
