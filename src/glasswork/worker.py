"""The worker's composition root: what follows an event, what the clock orders, and what jobs are given."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from glasswork import models as _models  # noqa: F401 (mappers need each other)
from glasswork.core.database_checks import DatabaseProbe, pooler_checks, tell_of_bypass
from glasswork.core.db import Database, open_database
from glasswork.core.health import OK, UNAVAILABLE, Check, Health
from glasswork.core.http import internal, peers
from glasswork.core.jobs import NO_TRACER
from glasswork.core.listeners import listen
from glasswork.core.mail import Mailer
from glasswork.core.outbox import Subscribers
from glasswork.core.outgoing import Outgoing, open_outgoing
from glasswork.core.runner import Recurring, Runner
from glasswork.core.settings import Settings
from glasswork.core.storage import Storage, open_storage
from glasswork.core.telemetry.logs import configure_logs
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.signals import Signals
from glasswork.core.tokens import Keys
from glasswork.core.wakeups import Wakeups
from glasswork.features.accounts.events import SessionReused, UserCreated
from glasswork.features.announcements.events import AnnouncementCreated
from glasswork.features.announcements.jobs import SEND_ANNOUNCEMENT
from glasswork.features.api_tokens.events import ApiTokenCreated
from glasswork.features.api_tokens.jobs import TELL_OF_TOKEN
from glasswork.features.archives.events import ArchiveCreated
from glasswork.features.archives.jobs import MAKE_ARCHIVE
from glasswork.features.attachments.events import AttachmentCreated, AttachmentUpdated
from glasswork.features.attachments.jobs import MAKE_THUMBNAIL, SWEEP
from glasswork.features.comments.events import CommentCreated, CommentUpdated
from glasswork.features.credentials.events import AddressChangeRequested, PasswordChanged, PasswordForgot
from glasswork.features.credentials.jobs import (
    SEND_CONFIRMATION,
    SEND_RESET,
    SEND_WELCOME,
    TELL_OF_CHANGE,
    TELL_OF_REUSE,
)
from glasswork.features.delivering.service import delivering
from glasswork.features.identities.events import IdentityCreated
from glasswork.features.identities.jobs import TELL_OF_IDENTITY
from glasswork.features.importing.jobs import RUN_IMPORT
from glasswork.features.imports.events import ImportCreated, ImportUpdated
from glasswork.features.invariants.jobs import CHECK_INVARIANTS
from glasswork.features.invitations.events import InvitationCreated
from glasswork.features.invitations.jobs import SEND_INVITATION
from glasswork.features.letters.jobs import ORDER_DAILY, SEND, SEND_DAILY
from glasswork.features.notifying.jobs import NOTIFY, NOTIFY_INVITED, REMIND
from glasswork.features.publishing.service import publishing
from glasswork.features.reports.events import ReportCreated
from glasswork.features.reports.jobs import MAKE_REPORT
from glasswork.features.retention.jobs import PURGE
from glasswork.features.seals.jobs import RENEW_SEALS
from glasswork.features.second_factors.events import (
    RecoveryCodesRenewed,
    RecoveryCodeUsed,
    TotpDisabled,
    TotpEnabled,
)
from glasswork.features.second_factors.jobs import (
    TELL_OF_DISABLED,
    TELL_OF_ENABLED,
    TELL_OF_RENEWED,
    TELL_OF_USED,
)
from glasswork.features.tasks.events import TaskCreated, TaskUpdated
from glasswork.features.webhooks.events import WebhookUpdated
from glasswork.features.webhooks.jobs import TELL_OWNER, TELL_OWNERS

JOBS = (
    *(SEND_WELCOME, SEND_RESET, SEND_CONFIRMATION, TELL_OF_CHANGE, TELL_OF_REUSE),
    *(TELL_OF_ENABLED, TELL_OF_DISABLED, TELL_OF_RENEWED, TELL_OF_USED),
    *(TELL_OF_TOKEN, TELL_OF_IDENTITY, SEND_INVITATION, PURGE, CHECK_INVARIANTS, RENEW_SEALS),
    *(TELL_OWNERS, TELL_OWNER, RUN_IMPORT, MAKE_ARCHIVE, MAKE_REPORT),
    *(
        SEND_ANNOUNCEMENT,
        MAKE_THUMBNAIL,
        SWEEP,
        NOTIFY,
        NOTIFY_INVITED,
        REMIND,
        SEND,
        ORDER_DAILY,
        SEND_DAILY,
    ),
)

SUBSCRIBERS: Subscribers = {
    UserCreated.type: (SEND_WELCOME,),
    SessionReused.type: (TELL_OF_REUSE,),
    PasswordForgot.type: (SEND_RESET,),
    PasswordChanged.type: (TELL_OF_CHANGE,),
    AddressChangeRequested.type: (SEND_CONFIRMATION,),
    TotpEnabled.type: (TELL_OF_ENABLED,),
    TotpDisabled.type: (TELL_OF_DISABLED,),
    RecoveryCodesRenewed.type: (TELL_OF_RENEWED,),
    RecoveryCodeUsed.type: (TELL_OF_USED,),
    ApiTokenCreated.type: (TELL_OF_TOKEN,),
    IdentityCreated.type: (TELL_OF_IDENTITY,),
    InvitationCreated.type: (SEND_INVITATION, NOTIFY_INVITED),
    TaskCreated.type: (NOTIFY,),
    TaskUpdated.type: (NOTIFY,),
    CommentCreated.type: (NOTIFY,),
    CommentUpdated.type: (NOTIFY,),
    AnnouncementCreated.type: (SEND_ANNOUNCEMENT,),
    ArchiveCreated.type: (MAKE_ARCHIVE,),
    AttachmentCreated.type: (MAKE_THUMBNAIL,),
    AttachmentUpdated.type: (MAKE_THUMBNAIL,),
    ReportCreated.type: (MAKE_REPORT,),
    WebhookUpdated.type: (TELL_OWNERS,),
    ImportCreated.type: (RUN_IMPORT,),
    ImportUpdated.type: (RUN_IMPORT,),
}

SCHEDULE = (
    Recurring("17 3 * * *", PURGE),
    Recurring("37 * * * *", SWEEP),
    Recurring("*/15 * * * *", REMIND),
    Recurring("*/15 * * * *", ORDER_DAILY),
    Recurring("47 3 * * *", RENEW_SEALS),
    Recurring("*/5 * * * *", CHECK_INVARIANTS),
)


FINISH_SECONDS = 10
"""For what is under way when the worker is told to stop."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What jobs work with."""

    settings: Settings
    database: Database
    keys: Keys
    mailer: Mailer
    outgoing: Outgoing
    storage: Storage
    api_url: str
    metrics: Metrics


def create_runner(
    settings: Settings,
    database: Database,
    outgoing: Outgoing,
    signals: Signals | None,
    finish_seconds: float,
) -> Runner:
    resources = make_resources(settings, database, outgoing, signals)
    return Runner(database, JOBS, SCHEDULE, resources, finish_seconds, settings.heartbeat_seconds, signals)


def make_resources(
    settings: Settings, database: Database, outgoing: Outgoing, signals: Signals | None
) -> Resources:
    smtp_url = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    return Resources(
        settings=settings,
        database=database,
        keys=Keys.of(settings),
        mailer=Mailer(smtp_url, settings.mail_from, signals.tracer if signals else NO_TRACER),
        outgoing=outgoing,
        storage=open_storage(settings.storage_url, settings.data_dir),
        api_url=f"{settings.public_url}/api/v1",
        metrics=signals.metrics if signals else Metrics(),
    )


async def work(settings: Settings) -> None:
    """Carry out jobs until SIGTERM or SIGINT, finish what runs, and give back the rest."""
    signals = Signals("worker", configure_logs(settings, "worker"), records=settings.has_ops_page)
    probe = DatabaseProbe(settings.database_url.get_secret_value())
    signals.metrics.foresee((), (job.name for job in JOBS))
    wakeups = Wakeups(settings.database_url.get_secret_value())
    async with (
        signals.watching() as loop,
        open_database(settings, SUBSCRIBERS, signals, wakeups.tell) as database,
        open_outgoing(settings.outgoing_allowed, signals) as outgoing,
        wakeups.running(),
    ):
        await tell_of_bypass(database)
        runner = create_runner(settings, database, outgoing, signals, FINISH_SECONDS)
        health = create_health([*probe.checks, *pooler_checks(settings)], runner, signals)

        def stop() -> None:
            health.drain()
            runner.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        async with (
            peers.telling(settings, signals, health, probe, loop),
            health.watching(),
            delivering(settings, database, signals, runner.stop, FINISH_SECONDS),
            publishing(settings, database, signals.metrics),
            _shown(settings, signals, health),
        ):
            await runner.run()


def create_health(checks: Sequence[Check], runner: Runner, signals: Signals) -> Health:
    async def look_at_queue() -> str:
        return OK if runner.has_looked else UNAVAILABLE

    return Health(signals.metrics, [*checks, Check("queue", look_at_queue)])


@asynccontextmanager
async def _shown(settings: Settings, signals: Signals, health: Health) -> AsyncIterator[None]:
    if settings.metrics_port is None:
        yield
        return
    with listen(settings.metrics_host, settings.metrics_port, "METRICS_PORT") as listener:
        async with internal.serving(listener, internal.create_app(signals.metrics, health)):
            yield
