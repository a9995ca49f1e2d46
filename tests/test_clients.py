"""Clients that are made from the OpenAPI document, without a warning, work with the real program."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data_dirs import used_data_dir
from tests.installations import installed

pytestmark = [
    pytest.mark.long,
    pytest.mark.acceptance,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("clients"),
]

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
PYTHON = "openapi-python-client==0.29.0"
"""Not among our own requirements: it wants an older typer."""
TYPESCRIPT = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20.19.0")
STRICT = ("--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext")

UV = os.environ.get("UV") or shutil.which("uv") or ""
needs_uv = pytest.mark.skipif(not UV, reason="needs uv: pip install uv")
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npx")), reason="needs node and npx: apt-get install npm"
)


def run(*command: str | Path, within: Path, **environment: str) -> str:
    """Return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
    ended = subprocess.run(
        [*command],
        cwd=within,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with used_data_dir() as folder, installed(folder) as installation:
        yield installation.base_url


@needs_uv
def test_the_python_client(base_url: str, tmp_path: Path) -> None:
    alone = (UV, "run", "--no-project", "--isolated", "--with", PYTHON)
    told = run(
        *(*alone, "openapi-python-client", "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", ROOT / "docs" / "openapi.json", "--config", EXAMPLES / "openapi-python-client.yml"),
        *("--output-path", "glasswork_client"),
        within=tmp_path,
    )
    assert "WARNING" not in told
    program = EXAMPLES / "python_client.py"
    assert run(*alone, "python", program, base_url, within=tmp_path, PYTHONPATH=str(tmp_path)) == "done\n"


@needs_node
def test_the_typescript_client(base_url: str, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--no-audit", "--no-fund", *TYPESCRIPT, within=tmp_path)
    made = run(
        *("npx", "openapi-typescript", ROOT / "docs" / "openapi.json", "--output", "schema.ts"),
        "--default-non-nullable=false",  # else what has a default must be sent
        within=tmp_path,
    )
    assert "warning" not in made.lower()
    shutil.copy(EXAMPLES / "typescript_client.ts", tmp_path)
    run("npx", "tsc", *STRICT, "typescript_client.ts", within=tmp_path)
    assert run("node", "typescript_client.js", base_url, within=tmp_path) == "done\n"
