"""The pages that are made of the code are those that the code makes."""

from pathlib import Path
from runpy import run_path

import pytest

generate = run_path(str(Path(__file__).parents[1] / "docs/generate.py"))


@pytest.mark.anyio
async def test_metrics_are_all_there() -> None:
    assert generate["METRICS"].read_text() == await generate["metrics_page"]()


def test_the_openapi_document_is_that_of_the_code() -> None:
    assert generate["DOCUMENT"].read_text() == generate["document"]()
