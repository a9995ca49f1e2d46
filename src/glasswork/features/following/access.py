"""The right to work on a webhook, of which one has it at a time."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_

from glasswork.features.webhooks.models import WebhookProgress


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to deliver to a webhook."""

    id: UUID
    workspace_id: UUID
    webhook_id: UUID

    def covers(self, table: Any) -> ColumnElement[bool]:
        return and_(table.workspace_id == self.workspace_id, table.webhook_id == self.webhook_id)

    @property
    def is_held(self) -> ColumnElement[bool]:
        return and_(self.covers(WebhookProgress), WebhookProgress.lease_id == self.id)
