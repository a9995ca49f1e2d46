"""What `uv build` makes, installed where there is no checkout, and its bill of materials."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import jsonschema_rs
import pytest

from tests.data_dirs import empty_data_dir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("package")]

ROOT = Path(__file__).parents[1]
LOCAL = (".git", ".venv", "node_modules", "dist", ".*_cache", "__pycache__", ".hypothesis", ".env", "secrets")
SECRETS = (".env", "secrets/jwt_secret.txt")

UV = os.environ.get("UV") or shutil.which("uv") or ""
needs_uv = pytest.mark.skipif(not UV, reason="needs uv: pip install uv")


def run(*command: str | Path, within: Path) -> str:
    """Return what it printed, and nothing of what it only told."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTHON"))}
    ended = subprocess.run(
        command, cwd=within, env=clean, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the source distribution and of the wheel made of it, from a checkout with secrets."""
    source, dist = tmp_path_factory.mktemp("checkout") / "glasswork", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LOCAL))
    for name in SECRETS:
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("a secret")
    run(UV, "build", "--quiet", "--out-dir", dist, within=source)
    return dist


@pytest.fixture(scope="module")
def program(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the installed wheel; what it needs are the packages that the tests have, too."""
    home = tmp_path_factory.mktemp("installed") / ".venv"
    run(UV, "venv", "--quiet", "--python", sys.executable, home, within=built)
    (wheel,) = built.glob("*.whl")
    python = home / "bin/python"
    run(UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel, within=built)
    packages = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", within=built
    ).strip()
    # Behind its own, and without the link to this checkout that is in there: no .pth is read from a .pth.
    Path(packages, "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin/glasswork"


def names_in_wheel(built: Path) -> set[str]:
    (wheel,) = built.glob("*.whl")
    return set(ZipFile(wheel).namelist())


def files(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(ROOT / folder)) for path in found}


@needs_uv
def test_the_wheel_has_all_of_the_program_and_nothing_else(built: Path) -> None:
    names = {name for name in names_in_wheel(built) if ".dist-info/" not in name}
    ours = {f"glasswork/{name}" for name in files("src/glasswork")}
    assert names == ours | {f"glasswork/migrations/{name}" for name in files("migrations")}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names_in_wheel(built))


@needs_uv
def test_the_source_distribution_has_no_secret(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert names >= {"pyproject.toml", "uv.lock", "LICENSE", "README.md", "alembic.ini", "migrations/env.py"}
    assert not names & {*SECRETS, "secrets"}


@needs_uv
def test_the_installed_program_is_this_version(built: Path, program: Path) -> None:
    imported = run(
        program.with_name("python"), "-c", "import glasswork; print(glasswork.__file__)", within=built
    )
    assert Path(imported.strip()).is_relative_to(program.parents[1])
    (wheel,) = built.glob("*.whl")
    assert run(program, "--version", within=built).split() == ["Glasswork", wheel.name.split("-")[1]]


@needs_uv
def test_the_installed_program_has_the_whole_contract(built: Path, program: Path) -> None:
    told = json.loads(run(program, "openapi", within=built))
    assert told["paths"].keys() == json.loads((ROOT / "docs/openapi.json").read_text())["paths"].keys()


@needs_uv
def test_the_installed_program_brings_its_migrations(built: Path, program: Path) -> None:
    with empty_data_dir() as folder:
        run(program, "migrate", "--data-dir", folder, within=built)
        run(program, "migrate", "--check", "--data-dir", folder, within=built)


SCHEMAS = """
import json
from importlib.resources import files
folder = files("cyclonedx.schema") / "_res"
names = [f"{name}.SNAPSHOT.schema.json" for name in ("bom-1.5", "spdx", "jsf-0.82")]
print(json.dumps({name: json.loads((folder / name).read_text()) for name in names}))
"""
"""Those of CycloneDX's own library, which takes minutes for what is done here in a second."""

TASK = Path(sys.executable).with_name("task")


def bill(folder: Path) -> str:
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / "uv.lock", folder)
    run(TASK, "sbom", within=folder)
    return (folder / "dist/glasswork.cdx.json").read_text()


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    alone = (UV, "run", "--no-project", "--isolated", "--with", "cyclonedx-python-lib==11.12.0")
    schemas = json.loads(run(*alone, "python", "-c", SCHEMAS, within=tmp_path_factory.mktemp("schemas")))
    # they name each other by these names, and themselves by others
    named = [(f"http://cyclonedx.org/schema/{name}", each) for name, each in schemas.items()]
    whole = schemas["bom-1.5.SNAPSHOT.schema.json"]
    return jsonschema_rs.validator_for(whole, registry=jsonschema_rs.Registry(named))


@needs_uv
def test_the_bill_of_materials_is_valid_and_says_the_same_each_time(tmp_path: Path, schema: Any) -> None:
    first, second = (json.loads(bill(tmp_path)) for _ in range(2))
    assert [error.message for error in schema.iter_errors(first)] == []
    assert not schema.is_valid(first | {"bomFormat": "SPDX"})
    for told in (first, second):  # which one it is, and when it was made
        del told["serialNumber"], told["metadata"]["timestamp"]
    assert first == second
    names = {component["name"] for component in first["components"]}
    assert "fastapi" in names
    assert "pytest" not in names
