"""What the API consists of: the slices' routers, and what all of their operations have in common."""

from fastapi import Depends, FastAPI

from glasswork.core.errors import (
    HeadersTooLargeError,
    MalformedRequestError,
    OutcomeUnknownError,
    PayloadTooLargeError,
    RateLimitError,
    RequestTimeoutError,
    ServiceUnavailableError,
    ValidationError,
)
from glasswork.core.http import health
from glasswork.core.http.dependencies import refuse_unknown_query
from glasswork.core.http.errors import InternalError, declare
from glasswork.core.http.resources import API_PREFIX
from glasswork.features.account_exports.router import router as account_exports
from glasswork.features.accounts.router import auth, users
from glasswork.features.activity.router import router as changes
from glasswork.features.announcements.router import router as announcements
from glasswork.features.api_tokens.router import router as api_tokens
from glasswork.features.archives.router import router as archives
from glasswork.features.attachments.router import router as attachments
from glasswork.features.audit.router import router as audit
from glasswork.features.boards.router import router as boards
from glasswork.features.bulk.router import router as bulk
from glasswork.features.calendars.router import router as calendars
from glasswork.features.comments.router import router as comments
from glasswork.features.credentials.router import router as credentials
from glasswork.features.deliveries.router import router as deliveries
from glasswork.features.exports.router import router as exports
from glasswork.features.history.router import router as history
from glasswork.features.hooks.router import router as hooks
from glasswork.features.idempotency.route import keyed
from glasswork.features.identities.router import router as identities
from glasswork.features.importing.router import router as importing
from glasswork.features.imports.router import router as imports
from glasswork.features.invitations.router import acceptance
from glasswork.features.invitations.router import router as invitations
from glasswork.features.jobs.router import router as jobs
from glasswork.features.links.router import router as links
from glasswork.features.members.router import router as members
from glasswork.features.notifications.router import router as notifications
from glasswork.features.placement.router import router as placement
from glasswork.features.privacy.router import router as privacy
from glasswork.features.projects.router import router as projects
from glasswork.features.realtime.router import router as realtime
from glasswork.features.receiving.router import router as receiving
from glasswork.features.relations.router import router as relations
from glasswork.features.removals.router import router as removals
from glasswork.features.reports.router import router as reports
from glasswork.features.search.router import router as search
from glasswork.features.second_factors.router import administration
from glasswork.features.second_factors.router import router as second_factors
from glasswork.features.setup import router as setup
from glasswork.features.sockets.router import router as sockets
from glasswork.features.tasks.router import router as tasks
from glasswork.features.uploads.router import router as uploads
from glasswork.features.watchers.router import router as watchers
from glasswork.features.webhooks.router import router as webhooks
from glasswork.features.workflow.router import router as workflow
from glasswork.features.workspaces.router import router as workspaces

DESCRIPTION = """A task tracker that shows its workings.

- **Errors** have one shape, `{"error": {"code", "message", "details", "request_id"}}`; read the `code`.
- **Lists** answer `{"items", "next_cursor", "total"}`; ask again with `cursor` until `next_cursor` is null.
- **Edits** are never lost: name the `ETag` you saw in `If-Match`, and a stale one is refused with 412.
- **Reads** of what you have cost little: name its `ETag` in `If-None-Match`, and 304 says it is the same.
- **PATCH** changes the fields that are sent, and no others; `null` clears one.
- **Retries** are safe: name a POST by an `Idempotency-Key`, and however often it comes it is done once."""

TAGS = [
    {"name": "auth", "description": "Accounts are opened, and tokens given and taken."},
    {"name": "users", "description": "My account; for admins of the installation, everybody's."},
    {"name": "workspaces", "description": "A team's own world, its members and invitations to it."},
    {"name": "announcements", "description": "What admins let everybody know, by mail."},
    {"name": "projects", "description": "Projects with their statuses and labels."},
    {"name": "tasks", "description": "What is to do."},
    {"name": "attachments", "description": "Files of tasks."},
    {"name": "reports", "description": "How the tasks of a project, or of a workspace, went."},
    {"name": "comments", "description": "What is said about tasks."},
    {"name": "calendars", "description": "Links by which calendars show what is due."},
    {"name": "notifications", "description": "What I am told, and how."},
    {"name": "changes", "description": "All that happens in a workspace, for those who keep a copy."},
    {"name": "webhooks", "description": "Where changes are sent to, and what came of it."},
    {"name": "hooks", "description": "Where other programs tell what happened there."},
    {"name": "imports", "description": "What comes from other trackers."},
    {"name": "archives", "description": "A whole workspace as a file, to keep or to move."},
    {"name": "audit", "description": "Who did what, for those who answer for others."},
    {"name": "operations", "description": "For admins of the installation."},
    {"name": "service", "description": "For those who keep this running."},
]

ROUTERS = (
    *(tasks, history, placement, relations, links, watchers, comments, attachments, uploads, notifications),
    *(bulk, search, boards, reports, exports, changes, realtime, removals, webhooks, deliveries),
    *(workflow, projects, workspaces, members, invitations, acceptance, users, administration, auth),
    *(announcements, hooks, receiving, imports, importing, calendars, archives),
    *(second_factors, credentials, identities, api_tokens, jobs, audit, account_exports, privacy),
    setup.router,
)

EVERYWHERE = declare(
    MalformedRequestError,
    RequestTimeoutError,
    PayloadTooLargeError,
    HeadersTooLargeError,
    ValidationError,
    RateLimitError,
    InternalError,
    ServiceUnavailableError,
    OutcomeUnknownError,
)


def include_routers(app: FastAPI) -> None:
    app.include_router(health.router)
    app.include_router(sockets, prefix=API_PREFIX)
    for router in ROUTERS:
        app.include_router(
            keyed(router),
            prefix=API_PREFIX,
            responses=EVERYWHERE,
            dependencies=[Depends(refuse_unknown_query)],
        )
