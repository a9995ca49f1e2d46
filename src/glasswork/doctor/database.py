"""Whether the database keeps what it has promised, and holds back whom it must."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from sqlalchemy import make_url

from glasswork.core import revisions
from glasswork.core.settings import Settings
from glasswork.doctor.configuration import is_local
from glasswork.doctor.facts import Facts
from glasswork.doctor.findings import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
    in_production,
    judge,
    listed,
    not_looked_at,
)

OLDEST, NEWEST = 15, 18
CLOCK_SECONDS = 5

DURABLE = {
    "fsync": "what was confirmed is lost, or the whole database, when the machine fails",
    "full_page_writes": "a page that was half written when the machine failed stays so",
    "synchronous_commit": "the last changes that were confirmed are lost when the server fails",
}
"""What must be on, and what happens otherwise."""


def version(_: Settings, facts: Facts) -> Finding:
    major = int(facts.settings["server_version_num"]) // 10_000
    return judge(
        "database_version",
        ERROR if major < OLDEST else WARNING,
        OLDEST <= major <= NEWEST,
        f"PostgreSQL {facts.settings['server_version']}.",
        f"Use PostgreSQL {OLDEST} to {NEWEST}: with those it is tried.",
    )


def durable(name: str) -> Callable[[Settings, Facts], Finding]:
    def check(_: Settings, facts: Facts) -> Finding:
        value = facts.settings[name]
        return judge(
            name,
            ERROR,
            value != "off",
            f"{name} is {value}.",
            f"Set {name} = on for this server, database and role: otherwise {DURABLE[name]}.",
        )

    return check


def encoding(_: Settings, facts: Facts) -> Finding:
    value = facts.settings["server_encoding"]
    advice = "Make the database anew with ENCODING 'UTF8' (docs/backup.md): others cannot store every text."
    return judge("encoding", ERROR, value == "UTF8", f"The database's encoding is {value}.", advice)


def timezone(_: Settings, facts: Facts) -> Finding:
    value = facts.settings["TimeZone"]
    return judge(
        "timezone",
        NOTE,
        value in {"UTC", "Etc/UTC", "GMT"},
        f"The database's zone is {value}; the processes ask for UTC themselves.",
        "ALTER DATABASE ... SET timezone = 'UTC', so that psql and the server's log tell the same time.",
    )


def clock(_: Settings, facts: Facts) -> Finding:
    way = "before" if facts.clock_off > 0 else "behind"
    return judge(
        "clock",
        WARNING,
        abs(facts.clock_off) <= CLOCK_SECONDS,
        f"The database's clock is {abs(facts.clock_off):.1f} s {way} this machine's.",
        "Keep both by NTP: tokens end by one clock, and sessions by the other.",
    )


def connections(settings: Settings, facts: Facts) -> Finding:
    """By the formula of docs/scale.md, with at least one process, which may carry out jobs."""
    workers = max(1, facts.workers)
    processes = max(workers, facts.processes)
    each = 1.5 * settings.database_pool_size + 2
    needed = processes * each + workers * 6 + 10
    names = ("superuser_reserved_connections", "reserved_connections")
    reserved = sum(int(facts.settings.get(name, "0")) for name in names)
    there = int(facts.settings["max_connections"]) - reserved
    beside = ""
    if settings.database_pooler_url:
        needed, beside = processes * 2 + workers * 6 + 10, " beside the pooler's"
    seen = f"Processes: {processes}, with jobs: {workers}. They may open {needed:.0f} connections{beside}"
    return judge(
        "connections",
        WARNING,
        there >= needed,
        f"{seen}, of {there}.",
        "Raise max_connections, or lower DATABASE_POOL_SIZE (docs/scale.md).",
    )


def schema(_: Settings, facts: Facts) -> Finding:
    state = revisions.describe(facts.revision)
    seen = f"It is at {facts.revision}." if state == "ok" else f"It is {state}."
    return judge("schema", ERROR, state == "ok", seen, "Run: glasswork migrate")


def roles(settings: Settings, facts: Facts) -> Finding:
    if facts.owner is None:
        return not_looked_at("roles", "there are no tables")
    return judge(
        "roles",
        in_production(settings, ERROR, WARNING),
        facts.role != facts.owner,
        f"{facts.role} serves, {facts.owner} owns the tables.",
        "Give DATABASE_URL another role, MIGRATION_DATABASE_URL the owner's; then: glasswork migrate",
    )


def row_security(settings: Settings, facts: Facts) -> Finding:
    if facts.owner is None:
        return not_looked_at("row_security", "there are no tables")
    if facts.unprotected:
        tables = listed([*facts.unprotected])
        return Finding("row_security", ERROR, False, f"Off for {tables}.", "Run: glasswork migrate")
    return judge(
        "row_security",
        in_production(settings, ERROR, WARNING),
        facts.bypass is None,
        f"Off: the serving role {facts.bypass}." if facts.bypass else f"It holds for {facts.role}.",
        "Serve as a role that is no superuser, has no BYPASSRLS, and does not own the tables.",
    )


def tls(settings: Settings, facts: Facts) -> Finding:
    url = make_url(settings.database_url.get_secret_value())
    host = url.query.get("host") or url.host
    is_here = facts.address is None or is_local(host if isinstance(host, str) else None)
    is_private = facts.address is not None and ip_address(facts.address).is_private
    way = "is on this machine" if is_here else f"is at {facts.address}"
    return judge(
        "database_tls",
        WARNING if is_private else in_production(settings, ERROR, WARNING),
        is_here or facts.is_encrypted,
        f"The database {way}; the connection is {'' if facts.is_encrypted else 'not '}encrypted.",
        "Add ?sslmode=verify-full to DATABASE_URL: who listens on the way reads everything.",
    )


def shared_limits(settings: Settings, facts: Facts) -> Finding:
    # Where all of them carry out jobs, they are servers that do so too.
    servers = max(1, facts.processes - facts.workers or facts.processes)
    counted = "in Redis, for all" if settings.redis_url else "by each process for itself"
    return judge(
        "shared_limits",
        WARNING,
        settings.redis_url is not None or servers == 1,
        f"Serving processes: {servers}; requests are counted {counted}.",
        "Set REDIS_URL: now a caller may ask each process as often as all together.",
    )


CHECKS: Sequence[tuple[str, Callable[[Settings, Facts], Finding]]] = (
    ("database_version", version),
    *((name, durable(name)) for name in DURABLE),
    ("encoding", encoding),
    ("timezone", timezone),
    ("clock", clock),
    ("connections", connections),
    ("schema", schema),
    ("roles", roles),
    ("row_security", row_security),
    ("database_tls", tls),
    ("shared_limits", shared_limits),
)
