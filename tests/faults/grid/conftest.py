from collections.abc import AsyncIterator

import pytest

from tests.data_dirs import used_data_dir

from .stage import Stage, open_stage


@pytest.fixture(scope="package")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One for all faults that leave everything as it was: none of them may need a restart."""
    with used_data_dir() as data_dir:
        async with open_stage(data_dir, tmp_path_factory.mktemp("redis")) as stage:
            await stage.start_api()
            stage.start_worker()
            yield stage
