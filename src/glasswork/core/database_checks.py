"""What both the API and the worker must have: a database that answers, and a schema that is ours."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import time
from typing import Any

import asyncpg
import structlog

from glasswork.core import revisions, row_security
from glasswork.core.clock import set_clock
from glasswork.core.database_urls import place_of
from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.health import OK, Check
from glasswork.core.settings import Settings

log = structlog.get_logger()


class DatabaseProbe:
    """Asks over a connection of its own.

    A pool that slow requests have used up makes requests wait; that this process then got none at all, and
    the others the more, would help nobody. The pool's metrics tell of it.
    """

    def __init__(self, url: str) -> None:
        self.connection_name = "glasswork health"
        """As the server shows it, from the next connection on."""
        self._place = place_of(url)
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    @property
    def checks(self) -> Sequence[Check]:
        return Check("database", self.answer, self.close), Check("schema", self.schema)

    async def answer(self) -> str:
        """Learn what time it is by the way."""
        asked_at = time()
        set_clock(await self._fetch("SELECT extract(epoch FROM clock_timestamp())::float8"), asked_at)
        return OK

    async def schema(self) -> str:
        try:
            return revisions.describe(await self._fetch(revisions.CURRENT))
        except asyncpg.UndefinedTableError:
            return revisions.describe(None)

    def close(self) -> None:
        if self._connection:
            self._connection.terminate()

    async def _fetch(self, query: str) -> Any:
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                named = {"application_name": self.connection_name}
                self._connection = await asyncpg.connect(**self._place, server_settings=named)
            try:
                value = await self._connection.fetchval(query)
            except BaseException:
                # A close that waits for a server which does not answer would not end.
                self._connection.terminate()
                raise
        return value


def pooler_checks(settings: Settings) -> Sequence[Check]:
    """Whether the pooler, where there is one, lets us in.

    It has no connection to lend for that: one that is busy makes requests wait, as a pool of our own does.
    """
    if settings.database_pooler_url is None:
        return ()
    place = place_of(settings.database_pooler_url.get_secret_value())

    async def come_in() -> str:
        connection = await asyncpg.connect(**place, server_settings={"application_name": "glasswork health"})
        connection.terminate()
        return OK

    return (Check("pooler", come_in),)


async def tell_of_bypass(database: Database) -> None:
    """Warn when the second line of isolation does not hold; without an answer nothing is known of it."""
    with suppress(ServiceUnavailableError):
        async with database.reading() as session:
            if reason := await row_security.why_bypassed(await session.connection()):
                log.warning("row_security.bypassed", reason=f"the serving role {reason}")
