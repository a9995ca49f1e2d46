from uuid import UUID

from glasswork.core.errors import NotFoundError


class DeliveryNotFoundError(NotFoundError):
    code = "DELIVERY_NOT_FOUND"

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"There is no delivery {delivery_id}.")
