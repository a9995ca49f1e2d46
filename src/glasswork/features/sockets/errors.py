from glasswork.core.errors import ConflictError, NotFoundError, PermissionDeniedError, ValidationError


class OriginRefusedError(PermissionDeniedError):
    code = "ORIGIN_REFUSED"

    def __init__(self) -> None:
        super().__init__("Pages of this origin may not connect (CORS_ORIGINS).")


class BadMessageError(ValidationError):
    """A message of a WebSocket that is not one of those that are known."""

    code = "BAD_MESSAGE"


class AlreadySubscribedError(ConflictError):
    code = "ALREADY_SUBSCRIBED"

    def __init__(self, subscription: str) -> None:
        super().__init__("You follow this already.", subscription=subscription)


class TooManySubscriptionsError(ConflictError):
    code = "TOO_MANY_SUBSCRIPTIONS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A connection has {limit} subscriptions at most.")


class SubscriptionNotFoundError(NotFoundError):
    code = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self, subscription: str) -> None:
        super().__init__("There is no such subscription.", subscription=subscription)
