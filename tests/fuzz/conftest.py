import asyncio
from collections.abc import Iterator

import pytest

from tests.databases import SERVING, Server


@pytest.fixture(scope="module")
def database_url(server: Server) -> Iterator[str]:
    """Of a database of the module's own, for the role that serves."""
    with asyncio.Runner() as runner:
        clone = server.clone()
        name = runner.run(clone.__aenter__())
        yield server.url(SERVING, name)
        runner.run(clone.__aexit__(None, None, None))
