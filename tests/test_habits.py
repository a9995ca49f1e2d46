"""What helps who works on it: tasks that say what they do, launches that start, changes that are told."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_task_says_what_it_does() -> None:
    tasks = PYPROJECT["tool"]["taskipy"]["tasks"]
    assert [name for name, task in tasks.items() if not task["help"]] == []


def test_the_editors_start_what_there_is() -> None:
    launches = json.loads((ROOT / ".vscode/launch.json").read_text())["configurations"]
    started = {launch["args"][0] for launch in launches if "program" in launch}
    runs = [ET.parse(path) for path in (ROOT / ".run").glob("*.run.xml")]  # noqa: S314 (our own)
    parameters = [run.find(".//option[@name='PARAMETERS']") for run in runs]
    started |= {option.attrib["value"].split()[0] for option in parameters if option is not None}
    assert started == {"serve", "worker"}
    for command in started:
        assert run("glasswork", command, "--help").returncode == 0
    assert run("glasswork", "nothing", "--help").returncode != 0


def test_each_change_is_of_a_kind_that_there_is() -> None:
    kinds = {kind["directory"] for kind in PYPROJECT["tool"]["towncrier"]["type"]}
    changes = list((ROOT / "docs/changes").iterdir())
    for change in changes:
        assert (re.fullmatch(r"\+[a-z0-9-]+\.([a-z]+)\.md", change.name) or [""])[1] in kinds, change.name


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-issue-forms", ["bug.yml", "feature.yml"]),
        ("vendor.github-issue-config", ["config.yml"]),
    ],
)
def test_forms_fit_their_schemas(schema: str, files: list[str]) -> None:
    folder = ROOT / ".github/ISSUE_TEMPLATE"
    checked = run("check-jsonschema", "--builtin-schema", schema, *(str(folder / name) for name in files))
    assert checked.returncode == 0, checked.stdout + checked.stderr
