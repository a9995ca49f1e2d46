"""The pages that are made of the code are those that the code makes."""

from pathlib import Path
from runpy import run_path

import pytest

pytestmark = pytest.mark.anyio


async def test_metrics_are_all_there() -> None:
    generate = run_path(str(Path(__file__).parents[1] / "docs/generate.py"))
    assert generate["METRICS"].read_text() == await generate["metrics_page"]()
