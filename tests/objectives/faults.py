"""What can go wrong with the running programs, and how it is healed; no metric is touched."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event

from glasswork.core.revisions import head
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.features.retention.jobs import PURGE
from tests.processes import children, free_port, postmaster, until

from .programs import CHECK
from .stack import API, WORKER
from .traffic import again_and_again
from .world import World, locked, locking


@dataclass(frozen=True)
class Fault:
    raises: str
    """The alert."""
    inject: Callable[[World], "Injected"]


Injected = Iterator[None]


def _restarted_api(world: World) -> Injected:
    """All API processes have ended."""
    programs = world.programs
    programs.serving.process.kill()
    programs.serving.process.wait()
    yield
    programs.serving.__exit__(None, None, None)
    programs.start_api()
    world.caller.client = programs.serving.client


def _restarted_worker(world: World) -> Injected:
    programs = world.programs
    programs.working.process.kill()
    programs.working.process.wait()
    yield
    programs.start_worker()


def _second_api_ends(world: World) -> Injected:
    """Of two replicas one, which is forgotten by the discovery in the end."""
    port = free_port()
    programs = world.programs
    with programs.make_api(port) as second:
        world.stack.discover(API, [programs.api_port, port])
        until(lambda: len(world.stack.query(f'up{{job="{API}"}} == 1')) == 2)
        second.process.kill()
        second.process.wait()
        yield
        world.stack.discover(API, [programs.api_port])


def _worker_is_not_found(world: World) -> Injected:
    world.stack.discover(WORKER, [])
    yield
    world.stack.discover(WORKER, [world.programs.worker_port])


def _database_stands_still(world: World) -> Injected:
    server = postmaster(world.programs.data_dir)
    assert server
    pids = [server, *children(server)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    with again_and_again(world.caller.read):
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def _schema_is_behind(world: World) -> Injected:
    world.programs.sql("UPDATE alembic_version SET version_num = '0001'")
    yield
    world.programs.sql(f"UPDATE alembic_version SET version_num = '{head()}'")


def _table_is_away(world: World) -> Injected:
    """As after a migration that went wrong: some routes answer 500."""
    world.programs.sql("ALTER TABLE task_labels RENAME TO away")
    with again_and_again(world.caller.read):
        yield
        world.programs.sql("ALTER TABLE away RENAME TO task_labels")


def _reads_wait(world: World) -> Injected:
    with locking(world, "ACCESS EXCLUSIVE", 0.4), again_and_again(world.caller.read):
        yield


def _writes_wait(world: World) -> Injected:
    with locking(world, "EXCLUSIVE", 0.8), again_and_again(world.caller.write):
        yield


def _queue_is_locked(world: World) -> Injected:
    with locked(world, "jobs.pgqueuer"):
        yield


def _webhooks_are_locked(world: World) -> Injected:
    """No worker gets to them; they can be looked at."""
    with locked(world, "webhook_progress", "EXCLUSIVE"), again_and_again(world.caller.write):
        yield


def _jobs_use_up_the_pool(world: World) -> Injected:
    """They wait for a lock, each with a connection in its hands."""
    with locked(world, "users"):
        order = "INSERT INTO jobs.pgqueuer (priority, status, entrypoint, payload) SELECT 0, 'queued', "
        payload = (
            '{"id": "00000000-0000-7000-8000-000000000000", "workspace_id": null,'
            ' "subject_id": "00000000-0000-7000-8000-000000000000"}'
        )
        statement = f"{order} '{SEND_WELCOME.name}', '{payload}' FROM generate_series(1, 60)"
        world.programs.sql(statement)
        yield
    world.programs.sql("DELETE FROM jobs.pgqueuer")


def _loop_stumbles(world: World) -> Injected:
    """The process is stopped for a moment, again and again, as where the CPU is short."""
    pid = world.programs.working.process.pid
    pause = Event()

    def stop() -> None:
        os.kill(pid, signal.SIGSTOP)
        pause.wait(0.3)
        os.kill(pid, signal.SIGCONT)

    with again_and_again(stop, pause=0.6):
        yield


def _job_dies(world: World) -> Injected:
    world.programs.sql(
        "INSERT INTO jobs.pgqueuer (priority, status, entrypoint, payload)"
        f" VALUES (0, 'queued', '{SEND_WELCOME.name}', '{{}}')"
    )
    yield
    world.programs.sql("DELETE FROM jobs.pgqueuer WHERE status = 'failed'")


def _job_of_another_version(world: World) -> Injected:
    world.programs.sql(
        "INSERT INTO jobs.pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'otters.count')"
    )
    yield
    world.programs.sql("DELETE FROM jobs.pgqueuer WHERE entrypoint = 'otters.count'")


def _schedule_is_stuck(world: World) -> Injected:
    world.programs.sql(
        "UPDATE jobs.pgqueuer_schedules SET status = 'failed', next_run = now() - interval '1 hour'"
        f" WHERE entrypoint = '{PURGE.name}'"
    )
    yield
    world.programs.sql(
        "UPDATE jobs.pgqueuer_schedules SET status = 'queued', next_run = now() + interval '1 hour'"
        f" WHERE entrypoint = '{PURGE.name}'"
    )


def _event_is_lost(world: World) -> Injected:
    world.programs.sql(
        "CREATE TABLE kept AS SELECT * FROM workspace_events WHERE type = 'task.created' LIMIT 1",
        "DELETE FROM workspace_events WHERE id IN (SELECT id FROM kept)",
        CHECK,
    )
    yield
    world.programs.sql("INSERT INTO workspace_events SELECT * FROM kept", "DROP TABLE kept", CHECK)


def _collector_is_dead(world: World) -> Injected:
    world.collector.close()
    # Not to what is promised: what an earlier fault has burnt is still close to its bound.
    with again_and_again(lambda: world.caller.client.get("/nowhere")):
        yield
        world.collector.open()


FAULTS: Sequence[Fault] = (
    Fault("ApiAvailabilityBurn", _table_is_away),
    Fault("WorkerDown", _restarted_worker),
    Fault("InvariantViolated", _event_is_lost),
    Fault("JobDead", _job_dies),
    Fault("ApiDown", _restarted_api),
    Fault("TargetDown", _second_api_ends),
    Fault("TargetAbsent", _worker_is_not_found),
    Fault("DependencyLost", _database_stands_still),
    Fault("DependencyLost", _schema_is_behind),
    Fault("DatabasePoolSaturated", _jobs_use_up_the_pool),
    Fault("EventLoopLagging", _loop_stumbles),
    Fault("JobQueueOld", _job_of_another_version),
    Fault("WorkerHeartbeatStale", _queue_is_locked),
    Fault("ScheduleMissed", _schedule_is_stuck),
    Fault("WebhookDeliveriesOld", _webhooks_are_locked),
    Fault("TelemetryDropping", _collector_is_dead),
    Fault("ApiWriteLatencyBurn", _writes_wait),
    Fault("ApiReadLatencyBurn", _reads_wait),
)


@contextmanager
def injected(fault: Fault, world: World) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(contextmanager(fault.inject)(world))
        yield
