"""An installation of real processes, and a way to each of its neighbours that can be made to fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from glasswork.core.database_urls import place_of
from glasswork.core.embedded import DATABASE, SERVING_ROLE, EmbeddedPostgres
from tests.conftest import SECRET
from tests.processes import Serving, Working, children, postmaster
from tests.receivers import Receiver
from tests.redis_server import RedisServer
from tests.smtp import Sink, listening_anywhere
from tests.tcp_proxy import TcpProxy

SETTLE_SECONDS = 90
"""In which all is done that was on its way: the pauses between attempts of jobs double."""

SETTINGS = {
    "JWT_SECRET": SECRET,
    "HEARTBEAT_SECONDS": "2",
    "WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8",
    "WEBHOOK_RETRY_SECONDS": "120",
    # Requests are counted, in Redis, and nobody is told to wait.
    "RATE_LIMIT_GLOBAL": "1000000/minute",
    "RATE_LIMIT_TOKEN": "1000000/minute",
    "RATE_LIMIT_REGISTRATIONS": "100000",
    "MAIL_FROM": "Glasswork <robot@example.org>",
}


@dataclass
class Stage:
    data_dir: Path
    to_database: TcpProxy
    to_redis: TcpProxy
    to_mail: TcpProxy
    redis: RedisServer
    sink: Sink
    receiver: Receiver
    environment: dict[str, str]
    worker_environment: dict[str, str] = field(default_factory=dict)
    apis: list[Serving] = field(default_factory=list)
    workers: list[Working] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def base_url(self) -> str:
        return self.apis[0].base_url

    @property
    def files(self) -> Path:
        return self.data_dir / "files"

    async def start_api(self, **environment: str) -> None:
        serving = Serving(self.data_dir, "--no-worker", **self.environment | environment)
        self.apis.append(await asyncio.to_thread(self._stack.enter_context, serving))

    def start_worker(self) -> None:
        environment = self.environment | self.worker_environment
        self.workers.append(self._stack.enter_context(Working(self.data_dir, **environment)))

    async def replace_worker(self) -> None:
        """Kill the one that is there for the longest, with all that it has in hand."""
        self.workers.pop(0).__exit__()
        self.start_worker()

    async def until_working(self) -> None:
        """A worker listens when it has started, and no longer when it has ended."""
        listening = "SELECT FROM pg_stat_activity WHERE starts_with(query, 'LISTEN \"ch_pgqueuer')"
        async with asyncio.timeout(SETTLE_SECONDS):
            while len(await self.query(listening)) != len(self.workers):
                await asyncio.sleep(0.05)

    async def query(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Ask the database as a superuser, by no way that fails."""
        connection = await self.connect()
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def connect(self) -> asyncpg.Connection:
        url = EmbeddedPostgres(self.data_dir).url("postgres", DATABASE)
        return await asyncpg.connect(**place_of(url))

    async def until_no_jobs(self) -> None:
        async with asyncio.timeout(SETTLE_SECONDS):
            while await self.query("SELECT FROM jobs.pgqueuer WHERE status <> 'failed' LIMIT 1"):
                await asyncio.sleep(0.05)

    async def revive_database(self) -> None:
        """Return when it serves again, after whatever it has to recover."""
        again = EmbeddedPostgres(self.data_dir)
        await asyncio.to_thread(again.start)
        await asyncio.to_thread(again.stop)  # it was not the last one that used it

    def database_processes(self) -> list[int]:
        """The first of them makes all others."""
        first = postmaster(self.data_dir)
        assert first
        return [first, *children(first)]

    async def close(self) -> None:
        # Elsewhere than on the loop, whose proxies they need until they have ended.
        await asyncio.to_thread(self._stack.close)


@asynccontextmanager
async def open_stage(data_dir: Path, folder: Path) -> AsyncIterator[Stage]:
    """With an empty database that is migrated in `data_dir`; nothing is started yet that uses it."""
    async with AsyncExitStack() as stack:
        postgres = EmbeddedPostgres(data_dir)
        await asyncio.to_thread(postgres.start)
        stack.push_async_callback(asyncio.to_thread, postgres.stop)
        redis = stack.enter_context(RedisServer(folder))
        sink = Sink()
        smtp = await stack.enter_async_context(listening_anywhere(sink))
        receiver = await stack.enter_async_context(Receiver().listening())
        url = postgres.url(SERVING_ROLE, DATABASE)
        to_database, to_redis, to_mail = [
            await stack.enter_async_context(TcpProxy(each)) for each in (url, redis.url, smtp)
        ]
        addresses = {
            "DATABASE_URL": to_database.url(url),
            "REDIS_URL": to_redis.url(redis.url),
            "SMTP_URL": to_mail.url(smtp),
        }
        stage = Stage(
            data_dir=data_dir,
            to_database=to_database,
            to_redis=to_redis,
            to_mail=to_mail,
            redis=redis,
            sink=sink,
            receiver=receiver,
            environment=SETTINGS | addresses,
        )
        stack.push_async_callback(stage.close)
        yield stage
