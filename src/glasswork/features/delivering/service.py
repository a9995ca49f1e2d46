"""Follows the log of changes for every webhook, and delivers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.db import Database
from glasswork.core.errors import AppError
from glasswork.core.jobs import NO_TRACER
from glasswork.core.outbox import Outbox
from glasswork.core.outgoing import Limits, Outgoing, open_outgoing
from glasswork.core.settings import Settings
from glasswork.core.tasks import end
from glasswork.core.telemetry.deliveries import DeliveryAttempt, DeliverySignals
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.signals import Signals
from glasswork.core.tokens import Keys
from glasswork.core.wakeups import Wakeups
from glasswork.features.deliveries.models import PING
from glasswork.features.following.access import Lease
from glasswork.features.following.service import FollowingService
from glasswork.features.sending.policy import Verdict, delay_after
from glasswork.features.sending.service import Parcel, SendingService
from glasswork.features.webhooks.events import WebhookUpdated
from glasswork.features.webhooks.models import DisabledReason

from .access import delivery_state
from .repository import DeliveringRepository

log = structlog.get_logger()

WEBHOOKS_AT_ONCE = 32
DELIVERIES_AT_ONCE = 8
"""To one webhook, while it takes what it is sent; then one, to see whether it does again."""
FAILING_FROM = 3
"""Failures in a row."""
TURN_SECONDS = 10
"""For one webhook, before the others have theirs."""
STATEMENTS_AT_ONCE = 4
"""Of the connections to the database, which others need too."""
CALL_LIMITS = Limits(connect=5, read=10, total=15, connections=100)
LOOK_SECONDS = 1
WATCH_SECONDS = 10


@asynccontextmanager
async def delivering(
    settings: Settings, database: Database, signals: Signals, stop: asyncio.Event, finish_seconds: float
) -> AsyncIterator[None]:
    """Deliver beside whatever the block does, and begin nothing more once `stop` is set."""
    async with open_outgoing(settings.webhook_allow_cidrs, signals, CALL_LIMITS) as outgoing:
        courier = Courier(database, outgoing, Keys.of(settings), settings, signals)
        wakeups = Wakeups(settings.database_url.get_secret_value(), courier.wake)
        async with wakeups.running(), courier.running(stop, finish_seconds):
            yield


class Courier:
    """Runs beside the jobs of a worker. One of all workers has a webhook at a time."""

    def __init__(
        self,
        database: Database,
        outgoing: Outgoing,
        keys: Keys,
        settings: Settings,
        signals: Signals | None = None,
    ) -> None:
        self._database = database
        self._sending = SendingService(outgoing, keys)
        self._retry_seconds = settings.webhook_retry_seconds
        self._lease = timedelta(seconds=settings.heartbeat_seconds)
        self._metrics = signals.metrics if signals else Metrics()
        self._signals = DeliverySignals(
            self._metrics, signals.tracer if signals else NO_TRACER, signals.recorder if signals else None
        )
        self._woken = asyncio.Event()
        self._statements = asyncio.Semaphore(STATEMENTS_AT_ONCE)
        self._working: dict[asyncio.Task[None], Lease] = {}

    def wake(self, _: UUID | None = None) -> None:
        """Something has happened that a webhook may have to be told."""
        self._woken.set()

    @asynccontextmanager
    async def running(self, stop: asyncio.Event, finish_seconds: float) -> AsyncIterator[None]:
        """What is under way at the end of the block has so long to finish, and is else tried again."""
        tasks = [asyncio.create_task(each) for each in (self._run(stop), self._keep(), self._watch())]
        try:
            yield
        finally:
            await end(*tasks)
            await self.rest(finish_seconds)
            await end(*self._working)

    async def rest(self, seconds: float | None = None) -> None:
        """Wait until what was begun is done."""
        if self._working:
            await asyncio.wait(self._working, timeout=seconds)

    async def look(self) -> int:
        """Begin to deliver to those that nobody delivers to; return how many they are."""
        free = WEBHOOKS_AT_ONCE - len(self._working)
        if free <= 0:
            return 0
        async with self._transaction() as session:
            leases = await DeliveringRepository(session).lease(free, self._lease)
        for lease in leases:
            task = asyncio.create_task(self._work_off(lease))
            self._working[task] = lease
            task.add_done_callback(self._done)
        return len(leases)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._working[task]
        self._woken.set()

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._woken.clear()
            try:
                await self.look()
            except AppError as error:
                log.warning("deliveries.unread", error_type=type(error).__qualname__)
                await asyncio.sleep(LOOK_SECONDS)
            except Exception:
                log.exception("deliveries.failed")
                await asyncio.sleep(LOOK_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()

    async def _keep(self) -> None:
        """Prolong what is leased: whoever does not is dead after a while, and another one goes on."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            if held := {lease.id for lease in self._working.values()}:
                with suppress(AppError):
                    async with self._transaction() as session:
                        await DeliveringRepository(session).prolong(held, self._lease)

    async def _watch(self) -> None:
        while True:
            with suppress(AppError):
                await self.tell()
            await asyncio.sleep(WATCH_SECONDS)

    async def tell(self) -> None:
        """Tell what is not delivered yet, for whoever scrapes."""
        async with self._database.reading() as session:
            state = await delivery_state(session)
        self._metrics.webhook_oldest_age.set(state.pop("oldest_seconds"))
        for name, count in state.items():
            self._metrics.webhook_deliveries.labels(name).set(count)

    async def _work_off(self, lease: Lease) -> None:
        """Deliver what is due; what happens to it must not end the others."""
        is_broken = False
        try:
            await self._take_turn(lease)
        except AppError as error:
            log.warning("deliveries.unread", error_type=type(error).__qualname__)
        except Exception:
            log.exception("deliveries.failed", webhook_id=lease.webhook_id)
            is_broken = True  # its lease runs out: so it is not tried again at once, and for ever
        finally:
            if not is_broken:
                with suppress(AppError):
                    async with self._transaction() as session:
                        await DeliveringRepository(session).release(lease)

    async def _take_turn(self, lease: Lease) -> None:
        turn_ends = monotonic() + TURN_SECONDS
        is_more = True
        while is_more and monotonic() < turn_ends:
            parcels, is_more = await self._begin(lease)
            sending = (self._deliver(lease, parcel) for parcel in parcels)
            for error in await asyncio.gather(*sending, return_exceptions=True):
                if error is not None:
                    raise error

    async def _begin(self, lease: Lease) -> tuple[Sequence[Parcel], bool]:
        """Return attempts that are now in the log, and whether to look once more when they are made."""
        async with self._transaction() as session:
            repository = DeliveringRepository(session)
            progress = await repository.lock_progress(lease)
            webhook = await repository.find_webhook(lease)
            if progress is None or webhook is None:
                return [], False
            is_more = await FollowingService(session).follow(lease, webhook, progress)
            if webhook.is_ordered:
                due = await repository.find_head(lease)
            else:
                is_failing = progress.failures >= FAILING_FROM
                due = await repository.find_due(lease, 1 if is_failing else DELIVERIES_AT_ONCE)
            parcels = [self._sending.pack(webhook, each) for each in await repository.begin(lease, due)]
            await repository.log(lease, parcels)
        return parcels, is_more or bool(parcels)

    async def _deliver(self, lease: Lease, parcel: Parcel) -> None:
        delivery = parcel.delivery
        told = DeliveryAttempt(
            delivery_id=delivery.id,
            webhook_id=delivery.webhook_id,
            workspace_id=delivery.workspace_id,
            type=delivery.type,
            request_id=delivery.request_id,
            traceparent=delivery.traceparent,
            number=delivery.attempts,
            happened_at=delivery.at or delivery.created_at,
            is_held_up=delivery.is_held_up,
        )
        with self._signals.watch(told):
            receipt = await self._sending.send(parcel)
            verdict = receipt.verdict
            told.status, told.failure = receipt.status, receipt.failure
            delay = self._delay(parcel, verdict)
            async with self._transaction() as session:
                repository = DeliveringRepository(session)
                await repository.note(lease, is_success=verdict.is_delivered)
                await repository.end(lease, parcel, verdict, delay)
                await repository.end_attempt(lease, parcel, receipt.logged)
            is_dead = not verdict.is_delivered and delay is None
            told.outcome = "delivered" if verdict.is_delivered else "dead" if is_dead else "retry"
            told.is_first_answer = delivery.answered_at is None
            if is_dead and delivery.type != PING:
                await self._switch_off(lease, parcel, verdict)

    def _delay(self, parcel: Parcel, verdict: Verdict) -> timedelta | None:
        """Return how long to wait for the next attempt; None: there is none."""
        delivery = parcel.delivery
        if verdict.is_delivered or verdict.is_gone or delivery.type == PING:
            return None
        delay = timedelta(seconds=delay_after(delivery.tries, self._retry_seconds, verdict.retry_after))
        is_late = delivery.now - delivery.asked_at + delay > timedelta(seconds=self._retry_seconds)
        return None if is_late else delay

    async def _switch_off(self, lease: Lease, parcel: Parcel, verdict: Verdict) -> None:
        """A delivery was tried to its end: unless another one got through meanwhile, nothing will."""
        async with self._transaction() as session:
            repository = DeliveringRepository(session)
            found = await repository.find_enabled(lease)
            if found is None:
                return
            webhook, now = found
            if not verdict.is_gone and await repository.has_taken_since(lease, parcel):
                return
            with Outbox(session).updating(None, WebhookUpdated, webhook):
                reason = DisabledReason.GONE if verdict.is_gone else DisabledReason.FAILING
                webhook.change({"is_enabled": False, "disabled_reason": reason, "disabled_at": now})
                await repository.flush()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        async with self._statements, self._database.system_transaction() as session:
            yield session
