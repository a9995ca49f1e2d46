from uuid import UUID

from glasswork.core.errors import ConflictError, NotFoundError


class WebhookNotFoundError(NotFoundError):
    code = "WEBHOOK_NOT_FOUND"

    def __init__(self, webhook_id: UUID) -> None:
        super().__init__(f"There is no webhook {webhook_id}.")


class TooManyWebhooksError(ConflictError):
    code = "TOO_MANY_WEBHOOKS"

    def __init__(self, most: int) -> None:
        super().__init__(f"A workspace has {most} webhooks at most.", most=most)


class WebhookDisabledError(ConflictError):
    code = "WEBHOOK_DISABLED"

    def __init__(self) -> None:
        super().__init__("The webhook is switched off; PATCH it with is_enabled true first.")
