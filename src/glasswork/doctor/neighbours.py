"""Whether those are reached on whom the processes depend, each asked once and for a bounded time."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from glasswork.core.database_urls import place_of
from glasswork.core.errors import AppError
from glasswork.core.event_stream import StreamAddress
from glasswork.core.mail import Connection
from glasswork.core.settings import Settings
from glasswork.core.storage import open_storage
from glasswork.doctor.findings import ERROR, WARNING, Finding, judge, reason_of

SECONDS = 5
LEAST_FREE_BYTES, LEAST_FREE_SHARE = 1 << 30, 0.05
PROBE = b"glasswork doctor"

Ask = Callable[[Settings], Awaitable[Finding | None]]
"""None: there is nobody to ask."""


async def pooler(settings: Settings) -> Finding | None:
    if settings.database_pooler_url is None:
        return None
    place = place_of(settings.database_pooler_url.get_secret_value())

    async def come_in() -> str:
        connection = await asyncpg.connect(**place, server_settings={"application_name": "glasswork doctor"})
        connection.terminate()
        return "It lets us in."

    return await _reached("pooler", come_in, "See that PgBouncer runs, and that DATABASE_POOLER_URL is its.")


async def redis(settings: Settings) -> Finding | None:
    urls = {"REDIS_URL": settings.redis_url, "EVENT_STREAM_URL": settings.event_stream_url}
    told = {name: url.get_secret_value() for name, url in urls.items() if url is not None}
    if "EVENT_STREAM_URL" in told:
        told["EVENT_STREAM_URL"] = StreamAddress.parse(told["EVENT_STREAM_URL"]).url
    if not told:
        return None

    async def ping() -> str:
        for url in told.values():
            client: Any = Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
            async with client:
                await client.ping()
        return f"It answers ({', '.join(told)})."

    advice = "See that Redis runs, and lets us in; meanwhile each process counts for itself."
    return await _reached("redis", ping, advice)


async def smtp(settings: Settings) -> Finding | None:
    if settings.smtp_url is None:
        return None
    server = urlsplit(settings.smtp_url.get_secret_value())

    async def greet() -> str:
        async with Connection.to(server) as connection:
            await connection.noop()
        return f"{server.hostname} lets us in."

    return await _reached("smtp", greet, "See SMTP_URL: host, port, user; letters wait, and are tried again.")


async def otlp(_: Settings) -> Finding | None:
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint:
        return None
    collector = urlsplit(endpoint)
    is_encrypted = collector.scheme == "https"
    port = collector.port or (443 if is_encrypted else 80)

    async def knock() -> str:
        context = ssl.create_default_context() if is_encrypted else None
        _, writer = await asyncio.open_connection(collector.hostname, port, ssl=context)
        writer.transport.abort()
        return f"{collector.hostname}:{port} takes connections."

    advice = "See OTEL_EXPORTER_OTLP_ENDPOINT: traces are lost meanwhile, and nothing else."
    return await _reached("otlp", knock, advice)


async def storage(settings: Settings) -> Finding:
    store, name = open_storage(settings.storage_url, settings.data_dir), uuid7()

    async def content() -> AsyncIterator[bytes]:
        yield PROBE

    async def write_and_read() -> str:
        try:
            await store.put(name, content())
            read = b"".join([chunk async for chunk in await store.open(name, 0, len(PROBE))])
        finally:
            await store.delete([name])
        if read != PROBE:
            raise OSError(0, "what was read is not what was written")
        return "A probe was written, read and deleted."

    advice = "See STORAGE_URL, or the rights of DATA_DIR/files: nobody can attach a file."
    return await _reached("storage", write_and_read, advice, patience=4)


async def disk(settings: Settings) -> Finding:
    """Of the data directory: with a database and a store elsewhere it has little to hold."""
    folder = next(each for each in (settings.data_dir, *settings.data_dir.resolve().parents) if each.exists())
    return free_space(folder, *shutil.disk_usage(folder))


def free_space(folder: Path, total: int, _: int, free: int) -> Finding:
    is_enough = free >= min(LEAST_FREE_BYTES, total * LEAST_FREE_SHARE)
    return judge(
        "disk",
        WARNING if free >= LEAST_FREE_BYTES // 8 else ERROR,
        is_enough,
        f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB are free at {folder}.",
        "Make room: without any, nothing can be written.",
    )


CHECKS: Sequence[tuple[str, Ask]] = (
    ("pooler", pooler),
    ("redis", redis),
    ("smtp", smtp),
    ("otlp", otlp),
    ("storage", storage),
    ("disk", disk),
)

_SPARED = {"redis", "smtp", "otlp"}
"""Without them requests are answered all the same."""


async def _reached(
    name: str, ask: Callable[[], Awaitable[str]], advice: str, *, patience: int = 1
) -> Finding:
    severity = WARNING if name in _SPARED else ERROR
    try:
        async with asyncio.timeout(patience * SECONDS):
            return Finding(name, severity, ok=True, evidence=await ask())
    except AppError as error:
        cause = f" ({reason_of(error.__cause__)})" if error.__cause__ else ""
        return Finding(name, severity, ok=False, evidence=f"{error.message}{cause}", advice=advice)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is not reached)
        return Finding(name, severity, ok=False, evidence=f"Not reached: {reason_of(error)}.", advice=advice)
