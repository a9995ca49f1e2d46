"""The same walks, of an app whose transactions go through a PgBouncer with few servers."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from glasswork.core.settings import Settings
from tests.conftest import make_settings
from tests.databases import SERVING, Server
from tests.pgbouncer import PgBouncer, needs_pgbouncer

from .conftest import running, sign_up
from .test_workflow import crowd, test_no_walk_along_the_links_breaks_the_contract

__all__ = ["crowd", "test_no_walk_along_the_links_breaks_the_contract"]

pytestmark = needs_pgbouncer


@pytest.fixture(scope="module")
def live_settings(server: Server) -> Iterator[Settings]:
    with asyncio.Runner() as runner:
        clone = server.clone()
        url = server.url(SERVING, runner.run(clone.__aenter__()))
        with PgBouncer(url) as pooler:
            pooled = SecretStr(pooler.url(url))
            yield make_settings(url, database_pooler_url=pooled, password_min_length=8)
        runner.run(clone.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def live(live_settings: Settings) -> Iterator[str]:
    with running(live_settings) as base_url:
        for username in ("ada", "bob"):
            sign_up(base_url, username)
        yield base_url
