from glasswork.core.errors import ConflictError, ValidationError


class KeyInUseError(ConflictError):
    code = "IDEMPOTENCY_KEY_IN_USE"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still at work.", headers={"Retry-After": "1"}
        )


class KeyReusedError(ValidationError):
    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key belongs to another request.")
