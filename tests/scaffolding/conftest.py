import shutil
from pathlib import Path

import pytest

from glasswork.scaffolding.checkout import Checkout

ROOT = Path(__file__).parents[2]
PARTS = ("src", "tests", "migrations")


@pytest.fixture
def here() -> Checkout:
    """The one that runs this; no test writes there."""
    return Checkout.of(ROOT / "src/glasswork")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of this one, without its documents and its history."""
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return Checkout.of(tmp_path / "src/glasswork")
