"""A copy of this checkout, with features that `new-feature` has written, passes what this one passes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from .conftest import ROOT
from .every_type import EVERY_TYPE

pytestmark = [pytest.mark.base, pytest.mark.timeout(3600)]

GATES = {
    "ruff": ("ruff", "check"),
    "format": ("ruff", "format", "--check"),
    "mypy": ("mypy",),
    "layers": ("lint-imports",),
    "dependencies": ("deptry", "src"),
}
FEATURES = {"parcels": EVERY_TYPE, "cash_boxes": ("code:str(2)",)}
"""One with all there can be, and one with as little as can be."""
PARALLEL = ("-n", "2", "--dist", "loadgroup")


def run(folder: Path, program: str, *arguments: str) -> str:
    """Run a tool of this environment on the sources of that folder, and return what it said."""
    ours = ("COV_", "PYTEST_", "GLASSWORK_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    ended = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("copy")
    listed = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    names = subprocess.run(("git", *listed), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for command in ("init --quiet", "add ."):  # for the tests of `strip`
        subprocess.run(("git", *command.split()), cwd=folder, check=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def featured(copy: Path) -> Path:
    for name, fields in FEATURES.items():
        options = chain.from_iterable(("--field", field) for field in fields)
        told = run(copy, "glasswork", "new-feature", name, *options)
        assert f"src/glasswork/features/{name}/router.py" in told
    return copy


@pytest.mark.parametrize("gate", GATES)
def test_it_passes_the_gate(featured: Path, gate: str) -> None:
    run(featured, *GATES[gate])


def test_it_passes_the_tests(featured: Path) -> None:
    run(featured, "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "900", *PARALLEL)
