"""Imports every model, so that the metadata is complete in each process and in migrations."""

from glasswork.core import events, guessing, jobs, mail, storage
from glasswork.core.models import Base
from glasswork.features.accounts import models as accounts
from glasswork.features.activity import models as activity
from glasswork.features.announcements import models as announcements
from glasswork.features.archives import models as archives
from glasswork.features.attachments import models as attachments
from glasswork.features.calendars import models as calendars
from glasswork.features.comments import models as comments
from glasswork.features.credentials import models as credentials
from glasswork.features.deliveries import models as deliveries
from glasswork.features.hooks import models as hooks
from glasswork.features.idempotency import models as idempotency
from glasswork.features.identities import models as identities
from glasswork.features.imports import models as imports
from glasswork.features.invitations import models as invitations
from glasswork.features.links import models as links
from glasswork.features.notifications import models as notifications
from glasswork.features.projects import models as projects
from glasswork.features.receiving import models as receiving
from glasswork.features.relations import models as relations
from glasswork.features.reports import models as reports
from glasswork.features.second_factors import models as second_factors
from glasswork.features.setup import models as setup
from glasswork.features.tasks import models as tasks
from glasswork.features.webhooks import models as webhooks
from glasswork.features.workspaces import models as workspaces

__all__ = [
    "Base",
    "accounts",
    "activity",
    "announcements",
    "archives",
    "attachments",
    "calendars",
    "comments",
    "credentials",
    "deliveries",
    "events",
    "guessing",
    "hooks",
    "idempotency",
    "identities",
    "imports",
    "invitations",
    "jobs",
    "links",
    "mail",
    "notifications",
    "projects",
    "receiving",
    "relations",
    "reports",
    "second_factors",
    "setup",
    "storage",
    "tasks",
    "webhooks",
    "workspaces",
]
