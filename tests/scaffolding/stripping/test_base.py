"""What `strip` makes passes the gates that this repository passes, and its own tests; `uv run task long`."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.data_dirs import empty_data_dir
from tests.scaffolding.every_type import EVERY_TYPE

ROOT = Path(__file__).parents[3]
GATES = {
    "rules": ("ruff", "check"),
    "format": ("ruff", "format", "--check"),
    "types": ("mypy",),
    "layers": ("lint-imports",),
    "dependencies": ("deptry", "src"),
}
PYTEST = ("uv", "run", "--frozen", "pytest", "-q", "-n", "2", "--dist", "loadgroup")
LEFT = ("glasswork", "Glasswork", "GLASSWORK")

pytestmark = [
    pytest.mark.base,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(
        shutil.which("uv") is None,
        reason="needs uv, whose environments the base is made with: pip install uv",
    ),
]


def run(folder: Path, *command: str) -> str:
    """In the folder's own environment."""
    left_out = ("VIRTUAL_ENV", "PYTEST_XDIST_WORKER", "GLASSWORK_TEST_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("base")
    folder.chmod(0o755)  # as root the embedded server runs as a user who must get in
    target = folder / "acme"
    run(ROOT, "uv", "run", "--no-sync", "glasswork", "strip", "acme", "--into", str(target))
    yield target
    shutil.rmtree(target)


def test_nothing_is_called_as_before(base: Path) -> None:
    files = [
        path
        for folder in ("src", "tests", "deploy", "docs", "migrations")
        for path in (base / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert files
    assert [path for path in files if any(name in path.name for name in LEFT)] == []
    assert [path for path in files if any(name.encode() in path.read_bytes() for name in LEFT)] == []


@pytest.mark.parametrize("gate", GATES)
def test_passes_the_gate(base: Path, gate: str) -> None:
    run(base, "uv", "run", "--frozen", *GATES[gate])


def test_has_the_schema_of_its_models(base: Path) -> None:
    with empty_data_dir() as folder:
        told = run(base, "uv", "run", "--frozen", "acme", "migrate", "--check", "--data-dir", str(folder))
    assert "The schema is at 0001." in told


def test_passes_its_tests(base: Path) -> None:
    told = run(base, *PYTEST)
    assert int(told.rpartition(" passed")[0].split()[-1]) > 1000


def test_takes_features_of_its_own(base: Path) -> None:
    fields = chain.from_iterable(("--field", field) for field in EVERY_TYPE)
    run(base, "uv", "run", "--frozen", "acme", "new-feature", "parcels", *fields)
    for gate in GATES.values():
        run(base, "uv", "run", "--frozen", *gate)
    run(
        base,
        *PYTEST,
        "tests/features/parcels",
        "tests/contract",
        "tests/test_architecture.py",
        "tests/test_docs.py",
    )
