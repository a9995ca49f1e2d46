from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import WebhookRead


class _OfWebhook(Event):
    schema = WebhookRead


class WebhookCreated(_OfWebhook, Created):
    type = "webhook.created"


class WebhookUpdated(_OfWebhook, Updated):
    type = "webhook.updated"


class WebhookDeleted(_OfWebhook, Deleted):
    type = "webhook.deleted"
