"""The real programs, with ports that are scraped."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg

from glasswork.core import embedded
from tests.processes import Serving, Working, free_port


class Programs:
    """An API and a worker, each with a port that is scraped."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.environment = {
            "RATE_LIMIT_ENABLED": "false",
            "HEARTBEAT_SECONDS": "5",
            "WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8",
            **environment,
        }
        self.api_port, self.worker_port = free_port(), free_port()
        self.start_api()
        self.start_worker()

    def start_api(self) -> None:
        self.serving = self.make_api(self.api_port).__enter__()

    def make_api(self, port: int) -> Serving:
        return Serving(self.data_dir, "--no-worker", METRICS_PORT=str(port), **self.environment)

    def start_worker(self) -> None:
        self.working = Working(self.data_dir, METRICS_PORT=str(self.worker_port), **self.environment)

    def close(self) -> None:
        self.working.__exit__()
        self.serving.__exit__(None, None, None)

    def sql(self, *statements: str) -> None:
        asyncio.run(self._sql(statements))

    async def _sql(self, statements: Sequence[str]) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    @property
    def database_url(self) -> str:
        """Of the owner; the server is up as long as the programs are."""
        server = embedded.EmbeddedPostgres(self.data_dir)
        return server.url(embedded.OWNER_ROLE, embedded.DATABASE).replace("+asyncpg", "")


CHECK = "INSERT INTO jobs.pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'invariants.check')"
"""Order a look at the invariants now, and not at the next fifth minute."""


@contextmanager
def programs(data_dir: Path, **environment: str) -> Iterator[Programs]:
    with closing(Programs(data_dir, environment)) as running:
        yield running
